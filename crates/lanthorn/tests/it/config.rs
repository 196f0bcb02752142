//! `lanthorn config`, and settings that make no sense.

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
    assert!(run(&["config", "set", "device_name"]).0);
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
        (r#"{"port": 70000}"#, "u16"),
        (r#"{"certificate": "/x.pem"}"#, "private_key"),
    ] {
        std::fs::write(folder.join("settings.json"), text).unwrap();
        let output = world.lanthorn(["--no-browser"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(named), "{text}: {said}");
        assert!(said.contains("startup-error-"), "{said}");
    }
    let logs = std::fs::read_dir(folder.join("logs")).unwrap().count();
    assert!(logs >= 1);
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
