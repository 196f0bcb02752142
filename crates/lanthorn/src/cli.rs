//! What was typed. Nothing here has a meaning yet: that is [`crate::config`]'s part.

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::audit::ReadAudit;
use crate::commands::cat::Cat;
use crate::commands::config::ConfigCommand;
use crate::commands::devices::ListDevices;
use crate::commands::edit::Edit;
use crate::commands::find::Find;
use crate::commands::get::Get;
use crate::commands::inbox::ManageInbox;
use crate::commands::invite::Invite;
use crate::commands::keys::ManageKeys;
use crate::commands::ls::Ls;
use crate::commands::mkdir::Mkdir;
use crate::commands::pair::Pair;
use crate::commands::put::Put;
use crate::commands::receive::Receive;
use crate::commands::relocate::Relocation;
use crate::commands::restore::RestoreTrashed;
use crate::commands::revoke::Revoke;
use crate::commands::rm::Rm;
use crate::commands::send::SendFiles;
use crate::commands::shares::ManageShares;
use crate::commands::status::ShowStatus;
use crate::commands::token::GiveToken;
use crate::commands::transfers::ManageTransfers;
use crate::commands::undo::UndoAct;
use crate::commands::versions::ShowVersions;
use crate::settings::Settings;

/// Browse, search, stream and share the files on all your machines.
///
/// Without a command, Lanthorn starts everything on this machine (`lanthorn up`) and opens the page.
#[derive(Debug, Parser)]
#[command(name = "lanthorn", version = version(), max_term_width = 100)]
pub struct Typed {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to say it.
    #[command(flatten)]
    pub output: Output,
    /// The settings, as flags or `LANTHORN_…` variables.
    #[command(flatten)]
    pub settings: Settings,
}

/// How things are said.
#[derive(Debug, Args)]
pub struct Output {
    /// Say more in the log; repeat for more still.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// How log lines are written.
    #[arg(long, value_enum, default_value_t, global = true, env = "LANTHORN_LOG_FORMAT")]
    pub log_format: LogFormat,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start everything on this machine: coordinator, agent and page in one process (the default).
    Up,
    /// Start only the control plane: sign-in, settings and the way to the agents.
    Coordinator,
    /// Start only the data plane: the files of this machine.
    Agent,
    /// Start only the page, in front of a coordinator.
    Web,
    /// Join another machine's coordinator, or list those that were joined.
    Pair(Pair),
    /// List the machines there are.
    Devices(ListDevices),
    /// List what is offered; offer more, and say to whom.
    Shares(ManageShares),
    /// List a folder, or the shares there are.
    Ls(Ls),
    /// Find files and folders by name on every machine.
    Find(Find),
    /// Copy a file or folder to this machine.
    Get(Get),
    /// Write files to standard output.
    Cat(Cat),
    /// Copy files and folders of this machine into a share.
    Put(Put),
    /// Send files and folders to another machine, whose owner is asked first; or to whoever has the code that is shown.
    Send(SendFiles),
    /// Take what somebody sends by a code.
    Receive(Receive),
    /// List what others send here, take it, or say no.
    Inbox(ManageInbox),
    /// List what was sent and received; hold it, let it go on, give it up.
    Transfers(ManageTransfers),
    /// Make a folder.
    Mkdir(Mkdir),
    /// Move files and folders, also to other shares and machines.
    Mv(Relocation),
    /// Copy files and folders, also to other shares and machines.
    Cp(Relocation),
    /// Delete files and folders: to the trash of their share.
    Rm(Rm),
    /// Bring things back out of the trash, or list what is in it.
    Restore(RestoreTrashed),
    /// Take back what a command did.
    Undo(UndoAct),
    /// List, show and restore what a file was before.
    Versions(ShowVersions),
    /// Edit a text file in your editor; what others change meanwhile is merged.
    Edit(Edit),
    /// Ask somebody in, by one string that is good once.
    Invite(Invite),
    /// End what a machine, a person, a browser or an invitation may do here.
    Revoke(Revoke),
    /// Show the keys that sign tickets; have another take the place of the present one.
    Keys(ManageKeys),
    /// Read who did what.
    Audit(ReadAudit),
    /// Let another program ask as this machine for an hour: curl, a tus client, a script.
    Token(GiveToken),
    /// Tell whether Lanthorn answers, and who this machine is there.
    Status(ShowStatus),
    /// Look at the settings and change them.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Give this machine another PIN, where the present one was forgotten.
    Pin,
    /// Print the script with which a shell completes these commands.
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the description of the HTTP API (OpenAPI 3.1).
    #[command(hide = true)]
    Openapi {
        /// As Markdown, for people.
        #[arg(long)]
        markdown: bool,
    },
}

/// Reads the command line and the environment; ends the process for `--help` and mistakes.
pub fn parse() -> Typed {
    Typed::parse()
}

fn version() -> &'static str {
    if crate::webui::is_built() {
        env!("CARGO_PKG_VERSION")
    } else {
        concat!(env!("CARGO_PKG_VERSION"), " (without the page: run `make web` and build again)")
    }
}
