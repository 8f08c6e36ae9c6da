//! `rapport export`

use std::{
    fs::File,
    io::{Write, stdout},
    path::{Path, PathBuf},
};

use rapport_domain::{people::PeopleResource, record::Source};
use rapport_persistence::Scope;

use super::{block_on, chosen_workspace};
use crate::{cli::ExportOptions, database::Database, export, failure::Failure, logging, terminal};

/// Writes all records of a kind, and says how many there were.
pub(crate) fn run(options: ExportOptions) -> Result<(), Failure> {
    logging::start_quietly();
    let database = Database::for_command(&options.database)?;
    database.make_current()?;
    let kind = PeopleResource::from(options.kind);
    let done = block_on(async {
        let db = database.open(Some(2)).await?;
        let workspace = chosen_workspace(&db, options.workspace.as_deref()).await?;
        let target = Target::new(options.file)?;
        let scope = Scope::of_system(workspace.id, Source::Api, workspace.country);
        // Not `read`, which begins again on another connection: what was written can't be taken back.
        let written = db.write(&scope, move |writer| {
            let bar = terminal::bar("{wide_bar} {pos}/{len} {eta}");
            let mut out = csv::Writer::from_writer(target.out);
            let done = export::write(writer, kind, &mut out, &|done, total| {
                bar.set_length(total);
                bar.set_position(done);
            });
            bar.finish_and_clear();
            Ok((done?, target.place))
        });
        let (done, place) = written.await?;
        let records = done.map_err(|error| Failure::said(format!("the export stopped: {error}")))?;
        if let Some(place) = place {
            place.settle()?;
        }
        Ok(records)
    });
    database.close()?;
    // Standard output is the file, where there is none.
    terminal::note(&format!("{} {} exported", done?, kind.resource().as_str()));
    Ok(())
}

/// Where the rows go: to a file beside the one that is wanted, which takes its place when it is whole, or to standard
/// output.
struct Target {
    out: Box<dyn Write + Send>,
    place: Option<Place>,
}

/// A part that never became the whole is taken away again.
struct Place {
    part: PathBuf,
    whole: PathBuf,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _is_whole_or_gone = std::fs::remove_file(&self.part);
    }
}

impl Target {
    fn new(file: Option<PathBuf>) -> Result<Self, Failure> {
        let Some(whole) = file else { return Ok(Self { out: Box::new(stdout()), place: None }) };
        let mut part = whole.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let out = File::create(&part).map_err(|error| cannot_write(&part, &error))?;
        Ok(Self { out: Box::new(out), place: Some(Place { part, whole }) })
    }
}

impl Place {
    fn settle(&self) -> Result<(), Failure> {
        let settled = File::open(&self.part).and_then(|part| part.sync_all());
        settled
            .and_then(|()| std::fs::rename(&self.part, &self.whole))
            .map_err(|error| cannot_write(&self.whole, &error))
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::said(format!("can't write {}: {error}", path.display()))
}
