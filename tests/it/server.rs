//! The program and the server themselves.

mod command_line;
mod durability;
mod import;
mod transport;
