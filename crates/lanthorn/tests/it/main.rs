//! Lanthorn as its users meet it: the real binary, real files, real sockets. One file per capability.

#![allow(
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "tests"
)]

mod by_code;
mod changing;
mod cli;
mod config;
mod devices;
mod direct;
mod files;
mod first_run;
mod hosts;
mod joining;
mod keys;
mod ports;
mod promises;
mod putting;
mod rig;
mod roles;
mod streams;
mod tidy;
mod token;
mod transfers;
mod uploads;
