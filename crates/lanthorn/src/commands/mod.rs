//! One file per command.

pub mod agent;
pub mod around;
pub mod asking;
pub mod audit;
pub mod cat;
pub mod completion;
pub mod config;
pub mod coordinator;
pub mod devices;
pub mod find;
pub mod get;
pub mod invite;
pub mod keys;
pub mod links;
pub mod ls;
pub mod offered;
pub mod openapi;
pub mod pair;
pub mod pin;
pub mod revoke;
pub mod role;
pub mod shares;
pub mod status;
pub mod up;
pub mod web;

use anyhow::Result;

use crate::cli::{Command, Typed};
use crate::config::Role;

/// Runs the command that was typed.
pub fn run(typed: &Typed) -> Result<()> {
    match &typed.command {
        None | Some(Command::Up) => role::start(typed, Role::All, up::run),
        Some(Command::Coordinator) => role::start(typed, Role::Coordinator, coordinator::run),
        Some(Command::Agent) => role::start(typed, Role::Agent, agent::run),
        Some(Command::Web) => role::start(typed, Role::Web, web::run),
        Some(Command::Pair(pair)) => pair::run(pair, typed),
        Some(Command::Pin) => pin::run(typed),
        Some(Command::Devices(command)) => devices::run(command, typed),
        Some(Command::Shares(command)) => shares::run(command, typed),
        Some(Command::Invite(command)) => invite::run(command, typed),
        Some(Command::Revoke(command)) => revoke::run(command, typed),
        Some(Command::Keys(command)) => keys::run(command, typed),
        Some(Command::Audit(command)) => audit::run(command, typed),
        Some(Command::Ls(command)) => ls::run(command, typed),
        Some(Command::Find(command)) => find::run(command, typed),
        Some(Command::Get(command)) => get::run(command, typed),
        Some(Command::Cat(command)) => cat::run(command, typed),
        Some(Command::Status(command)) => status::run(command, typed),
        Some(Command::Completion { shell }) => completion::run(*shell),
        Some(Command::Config(command)) => config::run(command, &typed.settings),
        Some(Command::Openapi { markdown }) => openapi::run(*markdown),
    }
}
