//! Inserting many rows with one statement, because starting and finishing a statement costs as much as the row itself.

use rusqlite::{Connection, Statement};

use super::errors::Kind;

/// The number of rows of the statement for the remaining rows. Rows that still remain are inserted one by one.
const FEW: usize = 4;

/// The statements that insert into one table with this many columns.
pub(super) struct Insertions<'c, const COLUMNS: usize> {
    many: Statement<'c>,
    few: Statement<'c>,
    one: Statement<'c>,
}

/// The number of rows of a full statement.
pub(super) const MANY: usize = 16;

impl<'c, const COLUMNS: usize> Insertions<'c, COLUMNS> {
    /// Prepares the statements for a table and its columns: `table (a, b, c)`.
    pub(super) fn prepare(connection: &'c Connection, table: &str) -> rusqlite::Result<Self> {
        let of = |rows: usize| {
            let row = format!("({})", ["?"; COLUMNS].join(", "));
            connection.prepare(&format!("INSERT INTO {table} VALUES {}", vec![row; rows].join(", ")))
        };
        Ok(Self { many: of(MANY)?, few: of(FEW)?, one: of(1)? })
    }

    /// Inserts the rows in order. If a row already exists, returns it. In that case some of the other rows may have
    /// been inserted, and the caller must roll back the transaction.
    ///
    /// `bind` binds the columns of a row, beginning at a parameter number.
    pub(super) fn insert<T: Copy>(
        &mut self,
        rows: &[T],
        bind: impl Fn(&mut Statement<'_>, usize, T) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<Option<T>> {
        let mut rest = rows;
        while !rest.is_empty() {
            let (statement, count) = match rest.len() {
                MANY.. => (&mut self.many, MANY),
                FEW.. => (&mut self.few, FEW),
                _ => (&mut self.one, 1),
            };
            let (now, later) = rest.split_at(count);
            if !run::<T, COLUMNS>(statement, now, &bind)? {
                // The statement has undone all of its rows.
                return self.first_there(now, bind);
            }
            rest = later;
        }
        Ok(None)
    }

    fn first_there<T: Copy>(
        &mut self,
        rows: &[T],
        bind: impl Fn(&mut Statement<'_>, usize, T) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<Option<T>> {
        for row in rows {
            if !run::<T, COLUMNS>(&mut self.one, std::slice::from_ref(row), &bind)? {
                return Ok(Some(*row));
            }
        }
        Ok(None)
    }
}

/// Returns whether all rows were inserted. Otherwise none of them was.
fn run<T: Copy, const COLUMNS: usize>(
    statement: &mut Statement<'_>,
    rows: &[T],
    bind: impl Fn(&mut Statement<'_>, usize, T) -> rusqlite::Result<()>,
) -> rusqlite::Result<bool> {
    for (place, row) in rows.iter().enumerate() {
        bind(statement, place * COLUMNS + 1, *row)?;
    }
    match statement.raw_execute() {
        Ok(count) => Ok(count == rows.len()),
        Err(error) if Kind::of(&error) == Kind::Constraint => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: usize = 5;

    fn bind(statement: &mut Statement<'_>, place: usize, row: i64) -> rusqlite::Result<()> {
        (0..COLUMNS).try_for_each(|column| statement.raw_bind_parameter(place + column, row * 10))
    }

    fn numbers(connection: &Connection) -> Vec<i64> {
        let mut statement = connection.prepare("SELECT a FROM t ORDER BY a").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn any_number_of_rows_is_inserted_once() {
        for count in [0, 1, 3, 4, 5, 15, 16, 17, 20, 21, 33, 100] {
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY, b, c, d, e)").unwrap();
            let mut insertions = Insertions::<COLUMNS>::prepare(&connection, "t (a, b, c, d, e)").unwrap();
            let rows: Vec<i64> = (0..count).collect();
            let there = insertions.insert(&rows, bind).unwrap();
            assert_eq!((there, numbers(&connection)), (None, rows.iter().map(|row| row * 10).collect()));
        }
    }

    #[test]
    fn the_row_that_is_there_already_is_named() {
        for twice in [0, 7, 15, 16, 19, 20, 21] {
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY, b, c, d, e)").unwrap();
            let mut insertions = Insertions::<COLUMNS>::prepare(&connection, "t (a, b, c, d, e)").unwrap();
            let rows: Vec<i64> = (0..22).collect();
            assert_eq!(insertions.insert(&[rows[twice]], bind).unwrap(), None);
            let there = insertions.insert(&rows, bind).unwrap();
            assert_eq!(there, Some(rows[twice]));
        }
    }
}
