//! Shapes of the first run: `/api/v1/setup`.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Secret;

/// What the setup page needs to know before it is filled in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SetupState {
    /// True once setup is done; nothing else is told then.
    pub done: bool,
    /// True if the visitor must type the code printed on the machine's terminal.
    pub code_needed: bool,
    /// A name for this machine to start from.
    pub device_name: String,
    /// A folder to start from, as an absolute path. Empty until the visitor has shown that they may set up.
    pub folder: String,
}

/// Does the setup. Possible once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The code from the terminal; not needed from the machine itself.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub code: Option<Secret<String>>,
    /// The folder to share, as an absolute path on the machine.
    pub folder: String,
    /// True to let everybody who is paired later look into the folder and save copies.
    #[serde(default)]
    pub everyone_may_read: bool,
    /// What the machine is called.
    pub device_name: String,
    /// The PIN: 4 to 12 digits.
    #[schema(value_type = String)]
    pub pin: Secret<String>,
}

/// The query of the folder chooser.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct FolderQuery {
    /// The folder to look into, as an absolute path; empty for the home folder.
    pub path: String,
}

/// One folder of this machine, with the folders in it that its user can read.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FolderChoice {
    /// The folder, as an absolute path.
    pub path: String,
    /// The folder it is in.
    #[schema(required)]
    pub parent: Option<String>,
    /// The names of the folders in it, in natural order.
    pub folders: Vec<String>,
    /// How many files are in it.
    pub files: u64,
    /// True if not every name is listed.
    pub truncated: bool,
    /// Places to begin from: home, documents, mounted disks.
    pub places: Vec<Place>,
}

/// A place to begin from in the folder chooser.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Place {
    /// What it is called.
    pub name: String,
    /// The folder, as an absolute path.
    pub path: String,
}
