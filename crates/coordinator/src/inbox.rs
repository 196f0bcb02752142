//! This machine's inbox: the share to which comes what is sent to the machine, and which is its owner's alone. It is there
//! from the first start on, and moves where the settings say.

use std::fs;
use std::path::Path;

use crate::store::{Store, StoreError};

/// What an inbox is called; with a number where the name is taken.
const NAME: &str = "Inbox";

/// Keeps the inbox among the shares, in this folder.
pub(crate) async fn prepare(store: &Store, folder: &Path, now_ms: i64) -> Result<(), StoreError> {
    let names = std::iter::once(NAME.to_owned()).chain((2..).map(|number| format!("{NAME} {number}")));
    store.put_inbox(&folder.to_string_lossy(), names, now_ms).await
}

/// Makes the folder, for its owner alone, where there is none. Without it nothing can be sent to this machine, and
/// everything else works.
pub(crate) fn make_folder(folder: &Path) {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    if let Err(error) = builder.create(folder) {
        tracing::error!(folder = %folder.display(), %error, "the inbox cannot be made");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_is_one_inbox_by_a_name_of_its_own_and_it_can_move() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        for (number, name) in ["inbox", "Inbox 2"].into_iter().enumerate() {
            let place = format!("/{number}");
            assert!(store.insert_share(proto::ShareId::generate(), name, &place, 1).await.unwrap());
        }
        prepare(&store, Path::new("/a"), 1).await.unwrap();
        let inbox = async || store.shares().await.unwrap().into_iter().find(|share| share.inbox).unwrap();
        let first = inbox().await;
        assert_eq!((first.name.as_str(), first.folder.as_path()), ("Inbox 3", Path::new("/a")));
        prepare(&store, Path::new("/b"), 2).await.unwrap();
        let moved = inbox().await;
        assert_eq!((moved.id, moved.folder.as_path()), (first.id, Path::new("/b")));
        assert_eq!(store.shares().await.unwrap().len(), 3);
    }

    #[cfg(unix)]
    #[test]
    fn its_folder_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("state/inbox");
        make_folder(&folder);
        make_folder(&folder);
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
