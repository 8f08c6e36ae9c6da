//! The server under test: the very same code as the `rapport` binary.

fn main() -> std::process::ExitCode {
    rapport_server::run()
}
