//! Makes the client from the document.

use std::{env, fs::File, path::Path};

type Failure = Box<dyn std::error::Error>;

const DOCUMENT: &str = "../../openapi/openapi-3.0.json";

fn main() -> Result<(), Failure> {
    println!("cargo::rerun-if-changed={DOCUMENT}");
    let document = serde_json::from_reader(File::open(DOCUMENT)?)?;
    let mut settings = progenitor_impl::GenerationSettings::default();
    settings.with_interface(progenitor_impl::InterfaceStyle::Builder);
    let tokens = progenitor_impl::Generator::new(&settings).generate_tokens(&document)?;
    let client = prettyplease::unparse(&syn::parse2(tokens)?);
    std::fs::write(Path::new(&env::var("OUT_DIR")?).join("client.rs"), client)?;
    Ok(())
}
