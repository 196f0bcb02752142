//! `lanthorn config`, and settings that make no sense.

use serde_json::json;

use crate::rig::World;

#[test]
fn a_setting_is_kept_shown_and_taken_back() {
    let world = World::new();
    let run = |args: &[&str]| {
        let output = world.lanthorn(args).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    assert_eq!(run(&["config", "set", "device_name", "Attic"]), (true, String::new()));
    assert_eq!(run(&["config", "get", "device_name"]), (true, "Attic".into()));
    assert_eq!(run(&["config", "get", "device_name", "--device-name", "Cellar"]).1, "Cellar");
    assert!(run(&["config", "path"]).1.ends_with(".config/lanthorn/settings.json"));
    assert!(!run(&["config", "set", "device_name"]).0, "a value that was forgotten takes nothing away");
    assert_eq!(run(&["config", "get", "device_name"]).1, "Attic");
    assert!(run(&["config", "set", "names", "one.example, two.example"]).0);
    assert_eq!(run(&["config", "get", "names"]).1, r#"["one.example","two.example"]"#);
    assert!(run(&["config", "unset", "device-name"]).0, "as the flag is written");
    assert!(!run(&["config", "get", "device_name"]).0);
    assert!(run(&["config", "check"]).0);
}

#[test]
fn a_mistake_stops_the_start_names_itself_and_is_written_down() {
    let world = World::new();
    let folder = world.home.path().join(".config/lanthorn");
    std::fs::create_dir_all(&folder).unwrap();
    for (text, named) in [
        (r#"{"prot": 7}"#, "prot"),
        (r#"{"session_idle_seconds": 5}"#, "session_idle_seconds"),
        (r#"{"port": 70000}"#, "port: invalid value: integer `70000`, expected a number from 0 to 65535"),
        (r#"{"port": "80"}"#, "expected a number from 0 to 65535"),
        (r#"{"device_nmae": "Attic"}"#, "is \"device_name\" meant?"),
        (r#"{"quite_another_thing": 1}"#, "`lanthorn --help` lists them"),
        ("", "it is not JSON"),
        ("7", "one object"),
        (r#"{"certificate": "/x.pem"}"#, "private_key"),
    ] {
        std::fs::write(folder.join("settings.json"), text).unwrap();
        let output = world.lanthorn(["--no-browser"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(named), "{text}: {said}");
        assert!(said.contains("startup-error-"), "{said}");
    }
    let logs = std::fs::read_dir(folder.join("logs")).unwrap();
    let told: String = logs.map(|log| std::fs::read_to_string(log.unwrap().path()).unwrap()).collect();
    assert_eq!(told.matches("version: ").count(), 9, "each failure is written down: {told}");
}

#[test]
fn what_was_typed_for_one_run_and_what_was_set_meanwhile_stay_out_of_each_others_way() {
    let world = World::new();
    let config = |args: &[&str]| {
        let output = world.lanthorn(["config"].iter().chain(args)).output().unwrap();
        (
            String::from_utf8(output.stdout).unwrap().trim().to_owned(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    config(&["set", "device_name", "Attic"]);
    let server = world.start_with(["--port", "0", "--no-browser", "--device-name", "Loft"]);
    let mut owner = server.local();
    owner.set_up(&world.shared()).expect_status(200);
    let (_, said) = config(&["set", "device_name", "Cellar"]);
    assert!(said.contains("next start"), "{said}");
    let change = json!({ "session_idle_seconds": 3600 });
    owner.send("PATCH", "/api/v1/settings", &[], Some(&change)).expect_status(200);
    assert_eq!(config(&["get", "device_name"]).0, "Cellar");
    assert_eq!(config(&["get", "session_idle_seconds"]).0, "3600");
    assert!(config(&["get", "no_browser"]).0.is_empty(), "a flag is for one run");
}

#[test]
fn the_name_given_at_setup_is_kept_even_where_it_was_typed_for_the_run_as_well() {
    let world = World::new();
    let server = world.start_with(["--port", "0", "--no-browser", "--device-name", "Attic"]);
    server.local().set_up(&world.shared()).expect_status(200);
    let kept = world.lanthorn(["config", "get", "device_name"]).output().unwrap();
    assert_eq!(String::from_utf8(kept.stdout).unwrap().trim(), "Attic");
}

#[test]
fn the_environment_is_weaker_than_a_flag_and_stronger_than_the_file() {
    let world = World::new();
    let name = |from_env: Option<&str>, flags: &[&str]| {
        let mut command = world.lanthorn(["config", "get", "device_name"].iter().chain(flags));
        from_env.map(|value| command.env("LANTHORN_DEVICE_NAME", value));
        String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
    };
    assert!(world.lanthorn(["config", "set", "device_name", "File"]).status().unwrap().success());
    assert_eq!(name(None, &[]), "File");
    assert_eq!(name(Some("Env"), &[]), "Env");
    assert_eq!(name(Some("Env"), &["--device-name", "Flag"]), "Flag");
}
