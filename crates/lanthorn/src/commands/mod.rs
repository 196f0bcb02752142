//! One file per command.

pub mod agent;
pub mod config;
pub mod coordinator;
pub mod links;
pub mod openapi;
pub mod pair;
pub mod role;
pub mod up;
pub mod web;

use anyhow::Result;

use crate::cli::{Command, Typed};

/// Runs the command that was typed.
pub fn run(typed: &Typed) -> Result<()> {
    match &typed.command {
        None | Some(Command::Up) => role::start(typed, up::run),
        Some(Command::Coordinator) => role::start(typed, coordinator::run),
        Some(Command::Agent) => role::start(typed, agent::run),
        Some(Command::Web) => role::start(typed, web::run),
        Some(Command::Pair(pair)) => pair::run(pair, &typed.settings),
        Some(Command::Config(command)) => config::run(command, &typed.settings),
        Some(Command::Openapi { markdown }) => openapi::run(*markdown),
    }
}
