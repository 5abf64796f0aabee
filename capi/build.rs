//! Gives the shared library the name under which it is installed.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        // While the major version is 0, the minor version is what programs depend on; `cargo cinstall` does it so, too.
        let part = |name| var(name).unwrap_or_default();
        let (major, minor) = (
            part("CARGO_PKG_VERSION_MAJOR"),
            part("CARGO_PKG_VERSION_MINOR"),
        );
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libufc.so.{major}.{minor}");
    }
}
