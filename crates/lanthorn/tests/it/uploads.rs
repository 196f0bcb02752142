//! Another program's tus client against the real binary: tuspy, which knows nothing of Lanthorn.

use std::path::Path;
use std::process::Command;

use crate::rig::World;

/// Uploads some pieces, forgets everything, and goes on with another uploader; then a file by itself.
const SCRIPT: &str = r#"
import sys
from tusclient.client import TusClient

endpoint, cookie, origin, source = sys.argv[1:]
headers = {"Cookie": cookie, "Origin": origin, "X-Lanthorn": "1"}
piece = 256 * 1024

first = TusClient(endpoint, headers=headers).uploader(
    source, chunk_size=piece, metadata={"filename": "resumed.bin", "folder": "from tuspy"}, upload_checksum=True)
first.upload(stop_at=3 * piece)
assert first.offset == 3 * piece, first.offset

second = TusClient(endpoint, headers=headers).uploader(source, url=first.url, chunk_size=piece)
assert second.get_offset() == 3 * piece
second.upload()

TusClient(endpoint, headers=headers).uploader(source, chunk_size=10 ** 9, metadata={"filename": "whole.bin"}).upload()
"#;

#[test]
fn tuspy_uploads_and_resumes() {
    let Some(python) = python_with_tuspy() else {
        eprintln!("skipped: no Python with tuspy (make system installs it)");
        return;
    };
    let (world, _server, mut owner) = World::set_up();
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
    let source = world.state().join("source.bin");
    std::fs::write(&source, &content).unwrap();
    let cookies: Vec<_> = owner.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let origin = format!("http://{}", owner.target.address);
    let ran = Command::new(python)
        .args(["-c", SCRIPT, &format!("{origin}{}/uploads", owner.share()), &cookies.join("; "), &origin])
        .arg(&source)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    for name in ["from tuspy/resumed.bin", "whole.bin"] {
        assert!(std::fs::read(world.shared().join(name)).unwrap() == content, "{name}");
    }
}

/// The one that `make` prepared, or the system's own.
fn python_with_tuspy() -> Option<&'static str> {
    let prepared = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tuspy/bin/python");
    let has_it = |python: &&str| {
        let asked = Command::new(python).args(["-c", "import tusclient"]).output();
        asked.is_ok_and(|answer| answer.status.success())
    };
    [prepared, "python3"]
        .into_iter()
        .filter(|python| !python.starts_with('/') || Path::new(python).exists())
        .find(has_it)
}
