//! Tells where the built page is: `web-dist/` in a packaged crate, `web/dist/` in a checkout (made if absent).

#![expect(clippy::expect_used, reason = "a build script can only stop the build")]

use std::path::Path;

fn main() {
    // Asked when it runs: a copied target folder may hold this program as it was compiled in another checkout.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the package is");
    let here = Path::new(&here);
    let checkout = here.join("../../web");
    let dist =
        if checkout.join("package.json").exists() { checkout.join("dist") } else { here.join("web-dist") };
    if dist.starts_with(&checkout) {
        std::fs::create_dir_all(&dist).expect("web/dist can be made");
    } else {
        assert!(
            dist.join("index.html").exists(),
            "this package lacks the built page; package it with `make dist`"
        );
    }
    println!("cargo::rerun-if-changed={}", dist.display());
    println!("cargo::rustc-env=LANTHORN_WEB_DIST={}", dist.display());
}
