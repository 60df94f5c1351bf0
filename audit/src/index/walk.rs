//! All that is wanted, one after the other, of a log of any size.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::ask::{Cursor, Order};
use super::entry::Entry;
use super::{Index, IndexError};
use crate::event::Event;
use crate::filter::Filter;

impl Index {
    /// Every wanted entry.
    pub fn walk(&self, filter: Filter, order: Order) -> Walk<'_> {
        Walk {
            index: self,
            filter,
            order,
            page: VecDeque::new(),
            next: Next::First,
        }
    }

    /// Every event of every wanted entry by its time: endings at their own.
    pub fn walk_events(&self, filter: Filter) -> WalkEvents<'_> {
        WalkEvents {
            walk: self.walk(filter, Order::OldestFirst),
            ahead: None,
            endings: BinaryHeap::new(),
        }
    }
}

/// The iterator of [`Index::walk`].
#[derive(Debug)]
pub struct Walk<'i> {
    index: &'i Index,
    filter: Filter,
    order: Order,
    page: VecDeque<Entry>,
    next: Next,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    First,
    After(Cursor),
    Nothing,
}

impl Walk<'_> {
    fn turn(&mut self) -> Result<(), IndexError> {
        let after = match self.next {
            Next::First => None,
            Next::After(cursor) => Some(cursor),
            Next::Nothing => return Ok(()),
        };
        self.next = Next::Nothing; // after an error, too
        let page = self.index.events(&self.filter, self.order, after, PAGE)?;
        self.next = page.next.map_or(Next::Nothing, Next::After);
        self.page = page.entries.into();
        Ok(())
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Entry, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        // A page may be empty and have one after it: its lines may be gone.
        while self.page.is_empty() && !matches!(self.next, Next::Nothing) {
            if let Err(error) = self.turn() {
                return Some(Err(error));
            }
        }
        self.page.pop_front().map(Ok)
    }
}

/// The iterator of [`Index::walk_events`].
#[derive(Debug)]
pub struct WalkEvents<'i> {
    walk: Walk<'i>,
    ahead: Option<Entry>,
    endings: BinaryHeap<Reverse<Ending>>,
}

/// Ordered by time, then by name.
#[derive(Debug)]
struct Ending(Event);

impl Iterator for WalkEvents<'_> {
    type Item = Result<Event, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ahead.is_none() {
            match self.walk.next().transpose() {
                Ok(ahead) => self.ahead = ahead,
                Err(error) => return Some(Err(error)),
            }
        }
        let Some(ahead) = &self.ahead else {
            return self.endings.pop().map(|Reverse(Ending(event))| Ok(event));
        };
        if self
            .endings
            .peek()
            .is_some_and(|Reverse(Ending(ending))| ending.at < ahead.event.at)
        {
            return self.endings.pop().map(|Reverse(Ending(event))| Ok(event));
        }
        let Entry { event, ending, .. } = self.ahead.take()?;
        let own = ending.filter(|ending| ending.id != event.id);
        self.endings.extend(own.map(Ending).map(Reverse));
        Some(Ok(event))
    }
}

impl Ending {
    fn key(&self) -> (&str, &str) {
        (&self.0.at, &self.0.id)
    }
}

impl PartialEq for Ending {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Ending {}

impl PartialOrd for Ending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

const PAGE: usize = 512;
