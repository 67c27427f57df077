//! Node ids and the numbers that stand for them in storage.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::pack::Nodes;

/// A number and its node.
type Numbered = (u32, Rc<str>);

/// Node ids and their numbers, read as needed.
pub struct NodeTable<'a> {
    conn: &'a Conn,
    by_number: RefCell<HashMap<u32, Rc<str>, foldhash::fast::RandomState>>,
    by_node: RefCell<HashMap<Rc<str>, u32, foldhash::fast::RandomState>>,
    /// Those asked for lately, the last first: most questions come again and again.
    lately: RefCell<[Option<Numbered>; 4]>,
}

impl<'a> NodeTable<'a> {
    /// None of them read yet.
    pub fn new(conn: &'a Conn) -> Self {
        NodeTable { conn, by_number: RefCell::default(), by_node: RefCell::default(), lately: RefCell::default() }
    }

    fn remember(&self, number: u32, node: &Rc<str>) {
        let mut lately = self.lately.borrow_mut();
        lately.rotate_right(1);
        if let Some(first) = lately.first_mut() {
            *first = Some((number, Rc::clone(node)));
        }
    }

    fn keep(&self, number: u32, node: &Rc<str>) {
        self.by_number.borrow_mut().insert(number, Rc::clone(node));
        self.by_node.borrow_mut().insert(Rc::clone(node), number);
    }
}

impl Nodes for NodeTable<'_> {
    fn number(&self, node: &Rc<str>) -> Result<u32> {
        if let Some((number, _)) = self.lately.borrow().iter().flatten().find(|(_, last)| Rc::ptr_eq(last, node)) {
            return Ok(*number);
        }
        if let Some(number) = self.by_node.borrow().get(node) {
            self.remember(*number, node);
            return Ok(*number);
        }
        let known = self.conn.int("SELECT n FROM main._crdt_node WHERE node = ?1", &[(&**node).into()])?;
        let number = match known {
            Some(number) => number,
            None => {
                self.conn.run("INSERT INTO main._crdt_node(node) VALUES (?1)", &[(&**node).into()])?;
                self.conn.db.last_insert_rowid()
            }
        };
        let number =
            u32::try_from(number).map_err(|_| Error::data("_crdt_node holds a number that is none of ours"))?;
        self.keep(number, node);
        Ok(number)
    }

    fn node(&self, number: u32) -> Result<Rc<str>> {
        if let Some((_, node)) = self.lately.borrow().iter().flatten().find(|(last, _)| *last == number) {
            return Ok(Rc::clone(node));
        }
        if let Some(node) = self.by_number.borrow().get(&number) {
            self.remember(number, node);
            return Ok(Rc::clone(node));
        }
        let node: Option<Option<Rc<str>>> =
            self.conn.first("SELECT node FROM main._crdt_node WHERE n = ?1", &[i64::from(number).into()], |row| {
                row.text(0).map(Rc::from)
            })?;
        let node =
            node.flatten().ok_or_else(|| Error::data(format!("node number {number} is in no row of _crdt_node")))?;
        self.keep(number, &node);
        Ok(node)
    }
}
