//! Tells where the built page is: `web-dist/` in a packaged crate, `web/dist/` in a checkout (made if absent).

use std::path::Path;

fn main() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let checkout = here.join("../../web");
    let dist = if checkout.join("package.json").exists() { checkout.join("dist") } else { here.join("web-dist") };
    if dist.starts_with(&checkout) {
        std::fs::create_dir_all(&dist).expect("web/dist can be made");
    } else {
        assert!(dist.join("index.html").exists(), "this package lacks the built page; package it with `make dist`");
    }
    println!("cargo::rerun-if-changed={}", dist.display());
    println!("cargo::rustc-env=LANTHORN_WEB_DIST={}", dist.display());
}
