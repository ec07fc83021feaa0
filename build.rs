//! Rebuilds when a migration is added: the macro that embeds them does not see new folders.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
