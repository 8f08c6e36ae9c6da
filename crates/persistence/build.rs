//! Makes cargo notice new migrations, which `embed_migrations!` alone does not.

#[expect(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]
fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
