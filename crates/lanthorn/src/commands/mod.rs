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
pub mod edit;
pub mod ends;
pub mod find;
pub mod get;
pub mod inbox;
pub mod invite;
pub mod keys;
pub mod links;
pub mod ls;
pub mod mkdir;
pub mod offered;
pub mod openapi;
pub mod pair;
pub mod pin;
pub mod put;
pub mod receive;
pub mod relocate;
pub mod restore;
pub mod revoke;
pub mod rm;
pub mod role;
pub mod send;
pub mod shares;
pub mod status;
pub mod token;
pub mod transfers;
pub mod trusting;
pub mod undo;
pub mod up;
pub mod versions;
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
        Some(Command::Put(command)) => put::run(command, typed),
        Some(Command::Send(command)) => send::run(command, typed),
        Some(Command::Receive(command)) => receive::run(command, typed),
        Some(Command::Inbox(command)) => inbox::run(command, typed),
        Some(Command::Transfers(command)) => transfers::run(command, typed),
        Some(Command::Mkdir(command)) => mkdir::run(command, typed),
        Some(Command::Mv(command)) => relocate::run_move(command, typed),
        Some(Command::Cp(command)) => relocate::run_copy(command, typed),
        Some(Command::Rm(command)) => rm::run(command, typed),
        Some(Command::Restore(command)) => restore::run(command, typed),
        Some(Command::Undo(command)) => undo::run(command, typed),
        Some(Command::Versions(command)) => versions::run(command, typed),
        Some(Command::Edit(command)) => edit::run(command, typed),
        Some(Command::Token(command)) => token::run(command, typed),
        Some(Command::Status(command)) => status::run(command, typed),
        Some(Command::Completion { shell }) => completion::run(*shell),
        Some(Command::Config(command)) => config::run(command, &typed.settings),
        Some(Command::Openapi { markdown }) => openapi::run(*markdown),
    }
}
