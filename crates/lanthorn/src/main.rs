//! Lanthorn: your machines, one place. This file starts the command that was typed and reports how it ended.

#![allow(unreachable_pub, reason = "nothing of a binary can be reached from outside")]

mod acting;
mod address;
mod announce;
mod by_code;
mod cli;
mod client;
mod commands;
mod config;
mod content;
mod delivery;
mod device;
mod fetch;
mod forwarded;
mod lanes;
mod listen;
mod membership;
mod nearby;
mod offer;
mod offering;
mod paths;
mod places;
mod print;
mod rate;
mod reach;
mod report;
mod running;
mod sending;
mod settings;
mod settings_file;
mod signed_in;
mod sole;
mod source;
mod subjects;
mod telemetry;
mod trusted;
mod watched;
mod webui;

use std::process::ExitCode;

fn main() -> ExitCode {
    let typed = cli::parse();
    let ended = commands::run(&typed);
    report::exit_code(&typed, ended)
}
