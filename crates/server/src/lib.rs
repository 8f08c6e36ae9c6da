pub mod embedded;
pub mod import;

pub fn run() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
