//! Tasks as a calendar in the form of iCalendar (RFC 5545), which programs for calendars and reminders read.

use std::{collections::BTreeMap, fmt::Write};

use chrono::{DateTime, Days, Duration, NaiveDateTime, TimeZone, Utc};
use chrono_tz::{OffsetComponents, Tz};

use super::{
    recurrence::Recurrence,
    task::{Priority, Task, TaskStatus},
};

/// The most octets of a line, before it goes on in the next one.
const LINE: usize = 75;

/// Clock changes are told from so many days before the first task on, to so many after the last.
const DAYS_AROUND: u64 = 400;

/// A calendar of tasks, each with its own id, so that a program knows it again.
pub fn of_tasks(name: &str, tasks: &[Task]) -> String {
    let mut calendar = Lines::default();
    calendar.plain("BEGIN:VCALENDAR");
    calendar.plain("VERSION:2.0");
    calendar.plain("PRODID:-//Rapport//Tasks//EN");
    calendar.plain("CALSCALE:GREGORIAN");
    calendar.plain("METHOD:PUBLISH");
    calendar.text("X-WR-CALNAME", name);
    calendar.plain("REFRESH-INTERVAL;VALUE=DURATION:PT15M");
    let mut zones: BTreeMap<&str, (DateTime<Utc>, DateTime<Utc>)> = BTreeMap::new();
    for task in tasks.iter().filter(|task| is_local(task)) {
        for at in [task.start_at, task.due_at].into_iter().flatten() {
            let span = zones.entry(task.zone().name()).or_insert((at, at));
            *span = (span.0.min(at), span.1.max(at));
        }
    }
    for (zone, (from, until)) in zones {
        if let Ok(zone) = zone.parse() {
            calendar.zone(zone, from, until);
        }
    }
    tasks.iter().for_each(|task| calendar.task(task));
    calendar.plain("END:VCALENDAR");
    calendar.0
}

/// Whether its times are told by the clocks of its time zone: a rule counts the days there.
fn is_local(task: &Task) -> bool {
    task.recurrence.is_some() && task.zone() != Tz::UTC
}

/// Lines of iCalendar, each ended and folded.
#[derive(Default)]
struct Lines(String);

impl Lines {
    /// A line as it stands. One that is too long goes on after a space, and no character is cut in two.
    fn plain(&mut self, line: &str) {
        let mut room = LINE;
        for character in line.chars() {
            if character.len_utf8() > room {
                self.0.push_str("\r\n ");
                room = LINE - 1;
            }
            room -= character.len_utf8();
            self.0.push(character);
        }
        self.0.push_str("\r\n");
    }

    /// A property whose value is a text of people.
    fn text(&mut self, name: &str, text: &str) {
        let mut line = format!("{name}:");
        for character in text.replace("\r\n", "\n").chars() {
            match character {
                '\\' | ';' | ',' => line.extend(['\\', character]),
                '\n' | '\r' => line.push_str("\\n"),
                // Others that control are no part of a text.
                control if control.is_control() && control != '\t' => {}
                other => line.push(other),
            }
        }
        self.plain(&line);
    }

    fn instant(&mut self, name: &str, at: DateTime<Utc>) {
        self.plain(&format!("{name}:{}", at.format("%Y%m%dT%H%M%SZ")));
    }

    /// A time of a task, as the clocks of its zone show it where days are counted there.
    fn time(&mut self, name: &str, at: DateTime<Utc>, task: &Task) {
        match is_local(task) {
            true => {
                let local = at.with_timezone(&task.zone()).naive_local();
                self.plain(&format!("{name};TZID={}:{}", task.zone().name(), wall(local)));
            }
            false => self.instant(name, at),
        }
    }

    fn task(&mut self, task: &Task) {
        self.plain("BEGIN:VTODO");
        self.plain(&format!("UID:{}@rapport", task.id));
        self.instant("DTSTAMP", task.updated_at);
        self.instant("CREATED", task.created_at);
        self.instant("LAST-MODIFIED", task.updated_at);
        self.text("SUMMARY", &task.name);
        if let Some(description) = &task.description {
            self.text("DESCRIPTION", description);
        }
        self.plain(match task.priority {
            Priority::Urgent => "PRIORITY:1",
            Priority::High => "PRIORITY:3",
            Priority::Normal => "PRIORITY:5",
            Priority::Low => "PRIORITY:9",
        });
        self.plain(match task.status {
            TaskStatus::NotStarted | TaskStatus::Deferred => "STATUS:NEEDS-ACTION",
            TaskStatus::InProgress => "STATUS:IN-PROCESS",
            TaskStatus::Completed => "STATUS:COMPLETED",
            TaskStatus::Cancelled => "STATUS:CANCELLED",
        });
        if let Some(completed) = task.completed_at {
            self.instant("COMPLETED", completed);
        }
        // What was done comes back as another task.
        let rule = task.recurrence.as_ref().filter(|_| task.successor_id.is_none());
        let rule = rule.and_then(|rule| rule.parse::<Recurrence>().ok());
        // A rule counts from DTSTART, and that of a task from the day on which it is due.
        let start =
            if rule.is_some() { task.due_at } else { task.start_at.filter(|start| Some(*start) != task.due_at) };
        if let Some(start) = start {
            self.time("DTSTART", start, task);
        }
        if let Some(due) = task.due_at {
            self.time("DUE", due, task);
        }
        if let Some(rule) = rule {
            self.plain(&format!("RRULE:{}", rule.rest(task.series_position)));
        }
        for reminder in task.reminders.iter().filter(|_| task.status.is_unfinished()) {
            self.plain("BEGIN:VALARM");
            self.plain("ACTION:DISPLAY");
            self.text("DESCRIPTION", &task.name);
            self.plain(&format!("TRIGGER;RELATED=END:-PT{}M", reminder.minutes_before_due));
            self.plain("END:VALARM");
        }
        self.plain("END:VTODO");
    }

    /// When the clocks of a zone change in a span of time.
    fn zone(&mut self, zone: Tz, from: DateTime<Utc>, until: DateTime<Utc>) {
        let around = Days::new(DAYS_AROUND);
        let (from, until) =
            (from.checked_sub_days(around).unwrap_or(from), until.checked_add_days(around).unwrap_or(until));
        self.plain("BEGIN:VTIMEZONE");
        self.plain(&format!("TZID:{}", zone.name()));
        let mut before = Clock::of(zone, from);
        self.clock(before, before, from.naive_utc() + before.offset);
        let mut at = from;
        while at < until {
            let Some(next) = at.checked_add_days(Days::new(1)) else { break };
            if Clock::of(zone, next) != before {
                let change = change_between(zone, at, next, before);
                let after = Clock::of(zone, change);
                self.clock(before, after, change.naive_utc() + before.offset);
                // A day may hold two changes: the next is looked for behind this one.
                (before, at) = (after, change);
                continue;
            }
            at = next;
        }
        self.plain("END:VTIMEZONE");
    }

    fn clock(&mut self, before: Clock, after: Clock, at: NaiveDateTime) {
        let kind = if after.is_summer { "DAYLIGHT" } else { "STANDARD" };
        self.plain(&format!("BEGIN:{kind}"));
        self.plain(&format!("DTSTART:{}", wall(at)));
        self.plain(&format!("TZOFFSETFROM:{}", offset(before.offset)));
        self.plain(&format!("TZOFFSETTO:{}", offset(after.offset)));
        self.plain(&format!("END:{kind}"));
    }
}

/// What clocks of a zone show at a time.
#[derive(Clone, Copy, PartialEq)]
struct Clock {
    offset: Duration,
    is_summer: bool,
}

impl Clock {
    fn of(zone: Tz, at: DateTime<Utc>) -> Self {
        let offset = zone.offset_from_utc_datetime(&at.naive_utc());
        Self {
            offset: offset.base_utc_offset() + offset.dst_offset(),
            is_summer: offset.dst_offset() != Duration::zero(),
        }
    }
}

/// The second at which clocks change, of two times between which they do.
fn change_between(zone: Tz, mut from: DateTime<Utc>, mut until: DateTime<Utc>, before: Clock) -> DateTime<Utc> {
    while until - from > Duration::seconds(1) {
        let middle = from + (until - from) / 2;
        match Clock::of(zone, middle) == before {
            true => from = middle,
            false => until = middle,
        }
    }
    // Clocks change at whole seconds.
    DateTime::from_timestamp(until.timestamp(), 0).unwrap_or(until)
}

fn wall(at: NaiveDateTime) -> String {
    at.format("%Y%m%dT%H%M%S").to_string()
}

/// An offset of UTC as `+0200`; with seconds where it has some.
fn offset(offset: Duration) -> String {
    let seconds = offset.num_seconds();
    let (sign, rest) = (if seconds < 0 { '-' } else { '+' }, seconds.abs());
    let mut text = format!("{sign}{:02}{:02}", rest / 3600, rest / 60 % 60);
    if rest % 60 != 0 {
        let _ = write!(text, "{:02}", rest % 60);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        id::TaskId,
        record::{Source, Stamp},
    };

    fn task(new: Value) -> Task {
        let stamp = Stamp::new(DateTime::UNIX_EPOCH, None, Source::Api);
        Task::create(serde_json::from_value(new).unwrap(), TaskId::mint(), stamp).unwrap()
    }

    fn unfolded(calendar: &str) -> Vec<String> {
        calendar.replace("\r\n ", "").split_terminator("\r\n").map(ToOwned::to_owned).collect()
    }

    #[test]
    fn a_task_is_told_with_all_that_programs_ask_for() {
        let one = task(json!({
            "name": "Call; back, \\now", "description": "two\nlines", "priority": "high", "status": "in_progress",
            "start_at": "2026-12-01T08:00:00Z", "due_at": "2026-12-01T09:00:00Z", "reminders": [{"minutes_before_due": 30}],
        }));
        let uid = format!("UID:{}@rapport", one.id);
        let lines = unfolded(&of_tasks("Rapport", &[one]));
        for expected in [
            uid.as_str(),
            "DTSTAMP:19700101T000000Z",
            "SUMMARY:Call\\; back\\, \\\\now",
            "DESCRIPTION:two\\nlines",
            "PRIORITY:3",
            "STATUS:IN-PROCESS",
            "DTSTART:20261201T080000Z",
            "DUE:20261201T090000Z",
            "TRIGGER;RELATED=END:-PT30M",
        ] {
            assert!(lines.iter().any(|line| line == expected), "{expected}: {lines:#?}");
        }
        assert!(!lines.iter().any(|line| line.starts_with("BEGIN:VTIMEZONE")));
    }

    #[test]
    fn a_series_is_told_by_the_clocks_of_its_zone_with_what_is_left_of_it() {
        let first = task(json!({
            "name": "x", "due_at": "2026-10-24T07:00:00Z", "recurrence": "FREQ=DAILY;COUNT=3", "time_zone": "Europe/Berlin"
        }));
        let stamp = Stamp::new(DateTime::UNIX_EPOCH, None, Source::Api);
        let second = first.successor(TaskId::mint(), stamp).unwrap();
        let calendar = of_tasks("Rapport", &[second]);
        let lines = unfolded(&calendar);
        for expected in [
            "DTSTART;TZID=Europe/Berlin:20261025T090000",
            "DUE;TZID=Europe/Berlin:20261025T090000",
            "RRULE:FREQ=DAILY;COUNT=2",
            "TZID:Europe/Berlin",
        ] {
            assert!(lines.iter().any(|line| line == expected), "{expected}: {lines:#?}");
        }
        let autumn = "BEGIN:STANDARD\r\nDTSTART:20261025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n";
        let spring = "BEGIN:DAYLIGHT\r\nDTSTART:20270328T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n";
        assert!(calendar.contains(autumn) && calendar.contains(spring), "{calendar}");
    }

    proptest! {
        #[test]
        fn lines_are_short_and_say_what_was_written(name in "[^\\r\\p{Cc}]{1,250}", text in "[^\\r\\p{Cc}]{0,400}") {
            prop_assume!(!name.trim().is_empty() && !text.trim().is_empty());
            let one = task(json!({"name": name, "description": text, "due_at": "2026-12-01T09:00:00Z"}));
            let (name, text) = (one.name.clone(), one.description.clone().unwrap());
            let calendar = of_tasks("Rapport", &[one]);
            for line in calendar.split_terminator("\r\n") {
                prop_assert!(line.len() <= 75, "{}", line);
                prop_assert!(!line.contains(['\r', '\n']));
            }
            let lines = unfolded(&calendar);
            let read = |start: &str| {
                let line = lines.iter().find_map(|line| line.strip_prefix(start)).unwrap();
                line.replace("\\,", ",").replace("\\;", ";").replace("\\\\", "\\")
            };
            prop_assert_eq!(read("SUMMARY:"), name);
            prop_assert_eq!(read("DESCRIPTION:"), text);
        }
    }
}
