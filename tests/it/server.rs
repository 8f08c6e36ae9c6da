//! The program and the server themselves.

mod command_line;
mod connections;
mod durability;
mod export;
mod import;
mod transport;
mod upkeep;
