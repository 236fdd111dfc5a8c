//! Tells cargo that the embedded migrations are source code too. Knows nothing else.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
