//! Lanthorn as its users meet it: the real binary, real files, real sockets. One file per capability.

mod config;
mod files;
mod first_run;
mod ports;
mod rig;
mod roles;
mod tidy;
