//! Sheets of numbers, each written by one worker, added up by name when somebody wants to read them. A sheet that its
//! worker let go, at a reload, is added to what was before it, so that no count ever goes back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cells::Cell;

/// Named rows of numbers, all of one length.
pub(super) trait Sheet {
    /// How many of a row's numbers, at its end, say how things are now and not what has happened.
    const GAUGES: usize;

    fn rows(&self) -> impl Iterator<Item = (&Arc<str>, &[Cell])>;
}

/// The sum of all rows of one name.
pub(super) type Sums = BTreeMap<Arc<str>, Vec<u64>>;

/// All sheets of one kind.
#[derive(Debug)]
pub(super) struct Book<S>(Mutex<Pages<S>>);

#[derive(Debug)]
struct Pages<S> {
    open: Vec<Arc<S>>,
    closed: Sums,
}

impl<S> Default for Book<S> {
    fn default() -> Self {
        Self(Mutex::new(Pages { open: Vec::new(), closed: Sums::new() }))
    }
}

impl<S: Sheet> Book<S> {
    /// Takes in a sheet that a worker writes from now on.
    pub(super) fn add(&self, sheet: S) -> Arc<S> {
        let sheet = Arc::new(sheet);
        let mut pages = self.pages();
        pages.close();
        pages.open.push(Arc::clone(&sheet));
        sheet
    }

    /// Every name's numbers.
    pub(super) fn sums(&self) -> Sums {
        let mut pages = self.pages();
        pages.close();
        let mut sums = pages.closed.clone();
        for sheet in &pages.open {
            add(&mut sums, &**sheet);
        }
        sums
    }

    fn pages(&self) -> MutexGuard<'_, Pages<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Sheet> Pages<S> {
    /// Adds up what nobody writes any more. Names that no sheet has any more are forgotten: they left the configuration.
    fn close(&mut self) {
        let Self { open, closed } = self;
        let before = open.len();
        open.retain(|sheet| {
            let is_written = Arc::strong_count(sheet) > 1;
            if !is_written {
                add(closed, &**sheet);
            }
            is_written
        });
        if open.len() == before || open.is_empty() {
            return;
        }
        closed.retain(|name, _| open.iter().any(|sheet| sheet.rows().any(|(open, _)| open == name)));
        for numbers in closed.values_mut() {
            let gauges = numbers.len() - S::GAUGES;
            numbers[gauges..].fill(0);
        }
    }
}

fn add<S: Sheet>(sums: &mut Sums, sheet: &S) {
    for (name, cells) in sheet.rows() {
        let numbers = match sums.get_mut(name) {
            Some(numbers) => numbers,
            None => sums.entry(Arc::clone(name)).or_insert_with(|| vec![0; cells.len()]),
        };
        for (number, cell) in numbers.iter_mut().zip(cells) {
            *number = number.wrapping_add(cell.get());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Names(Vec<(Arc<str>, [Cell; 2])>);

    impl Sheet for Names {
        const GAUGES: usize = 1;

        fn rows(&self) -> impl Iterator<Item = (&Arc<str>, &[Cell])> {
            self.0.iter().map(|(name, cells)| (name, &cells[..]))
        }
    }

    fn sheet(names: &[&str]) -> Names {
        Names(names.iter().map(|name| ((*name).into(), Default::default())).collect())
    }

    fn count(sheet: &Names, row: usize, times: u64) {
        sheet.0[row].1[0].add(times);
        sheet.0[row].1[1].add(1);
    }

    fn sum(book: &Book<Names>, name: &str) -> Option<Vec<u64>> {
        book.sums().get(name).cloned()
    }

    #[test]
    fn what_workers_count_is_added_up_by_name() {
        let book = Book::default();
        let (one, other) = (book.add(sheet(&["/a", "/b"])), book.add(sheet(&["/a", "/b"])));
        count(&one, 0, 2);
        count(&other, 0, 3);
        count(&other, 1, 1);
        assert_eq!((sum(&book, "/a"), sum(&book, "/b")), (Some(vec![5, 2]), Some(vec![1, 1])));
    }

    #[test]
    fn a_count_goes_on_over_a_reload_and_ends_with_its_name() {
        let book = Book::default();
        let old = book.add(sheet(&["/kept", "/gone"]));
        count(&old, 0, 2);
        count(&old, 1, 2);
        let new = book.add(sheet(&["/kept", "/new"]));
        count(&new, 0, 1);
        assert_eq!(sum(&book, "/kept"), Some(vec![3, 2]), "while requests of both are in flight");
        drop(old);
        assert_eq!(sum(&book, "/kept"), Some(vec![3, 1]), "a gauge does not outlive its sheet");
        assert_eq!((sum(&book, "/gone"), sum(&book, "/new")), (None, Some(vec![0, 0])));
        drop(new);
        assert_eq!(sum(&book, "/kept").map(|numbers| numbers[0]), Some(3), "at the end of the process");
    }
}
