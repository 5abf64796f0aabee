//! `ufc completions`.

use crate::ufc;

#[test]
fn scripts_name_the_verbs() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = ufc(&["completions", shell]).ok();
        assert!(
            script.contains("render") && script.contains("supersample"),
            "{shell}"
        );
    }
    ufc(&["completions", "cmd"]).fails(2);
}
