//! House law that a machine can check. The reasons stand in CONTRIBUTING.md and ARCHITECTURE.md.

use std::fs;
use std::path::{Path, PathBuf};

use crate::rig::World;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn siblings_do_not_know_each_other() {
    for (room, stranger) in
        [("agent", "coordinator::"), ("coordinator", "agent::"), ("proto", "tokio::"), ("peer", "agent::")]
    {
        for file in rust_files(&root().join("crates").join(room).join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            let uses = text.lines().any(|line| line.trim_start().starts_with(&format!("use {stranger}")));
            assert!(!uses, "{} uses {stranger}", file.display());
        }
    }
}

#[test]
fn rooms_of_the_agent_name_no_transport() {
    let rooms = root().join("crates/agent/src/files");
    for file in rust_files(&rooms).into_iter().filter(|file| !file.ends_with("tests.rs")) {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        assert!(!code.contains("axum::"), "{} names axum", file.display());
    }
}

#[test]
fn every_file_says_what_it_is() {
    for file in rust_files(&root().join("crates")) {
        if file.components().any(|part| part.as_os_str() == "target") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//!"), "{} has no first line that says what it is", file.display());
    }
}

#[test]
fn the_description_of_the_api_is_current() {
    for (args, kept) in [(&["openapi"][..], "openapi.json"), (&["openapi", "--markdown"], "http-api.md")] {
        let output = World::new().lanthorn(args).output().unwrap();
        let on_disk = fs::read_to_string(root().join("docs").join(kept)).unwrap();
        assert!(
            String::from_utf8_lossy(&output.stdout) == on_disk,
            "docs/{kept} is out of date; run `make api`"
        );
    }
}

#[test]
fn every_error_stands_in_the_table_of_exit_codes() {
    let text = fs::read_to_string(root().join("docs/cli.md")).unwrap();
    for code in proto::ErrorCode::ALL {
        let row = format!("| {} | ", code.exit_code());
        let named = format!("`{}`", code.as_str());
        assert!(text.lines().any(|line| line.starts_with(&row) && line.contains(&named)), "{named}");
    }
}
