//! Commands as a test types them: what they print, or how they fail.

use std::process::Output;

use serde_json::Value;

use super::World;

/// Runs a command to its end.
pub fn run(world: &World, args: &[&str]) -> Output {
    world.lanthorn(args).output().unwrap()
}

/// What a command printed that ended well.
#[track_caller]
pub fn said(world: &World, args: &[&str]) -> String {
    let output = run(world, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The same of one that answers in JSON.
#[track_caller]
pub fn said_json(world: &World, args: &[&str]) -> Value {
    serde_json::from_str(&said(world, &[args, &["--json"]].concat())).unwrap()
}

/// How a command failed: its exit code and what it said.
#[track_caller]
pub fn failed(world: &World, args: &[&str]) -> (i32, String) {
    let output = run(world, args);
    assert!(!output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}
