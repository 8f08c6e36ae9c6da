//! Everything is in the library, so that tests can run the very same server.

/// Keeps memory in few places: the system's allocator grows under load and does not give it back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    rapport_server::run()
}
