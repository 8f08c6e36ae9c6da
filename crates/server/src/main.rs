//! Everything is in the library, so that tests can run the very same server.

/// Keeps little that is free: the system's allocator grows under load and does not give it back.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    rapport_server::run()
}
