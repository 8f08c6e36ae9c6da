//! What people do, and what is left to be done.

pub(crate) mod calendar_feeds;
pub(crate) mod notes;
pub(crate) mod tasks;

use crate::routes::Routes;

/// The routes of this room. Fixed addresses stand before those with an id in the same place.
pub(crate) fn configure(routes: &mut impl Routes) {
    routes
        .service(calendar_feeds::list_calendar_feeds)
        .service(calendar_feeds::create_calendar_feed)
        .service(calendar_feeds::get_calendar_feed)
        .service(calendar_feeds::delete_calendar_feed)
        .service(calendar_feeds::get_calendar)
        .service(notes::list_notes)
        .service(notes::create_note)
        .service(notes::batch_notes)
        .service(notes::upsert_note)
        .service(notes::get_note_by_external_id)
        .service(notes::search_notes)
        .service(notes::list_note_history)
        .service(notes::restore_note)
        .service(notes::get_note)
        .service(notes::update_note)
        .service(notes::delete_note)
        .service(tasks::list_tasks)
        .service(tasks::create_task)
        .service(tasks::list_my_tasks)
        .service(tasks::batch_tasks)
        .service(tasks::upsert_task)
        .service(tasks::get_task_by_external_id)
        .service(tasks::search_tasks)
        .service(tasks::list_task_history)
        .service(tasks::complete_task)
        .service(tasks::cancel_task)
        .service(tasks::reopen_task)
        .service(tasks::restore_task)
        .service(tasks::get_task)
        .service(tasks::update_task)
        .service(tasks::delete_task);
}
