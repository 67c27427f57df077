//! Records that are nothing but cells of today's columns, which most are: read into a list and written from it, without maps. Pure.

use super::bytes::{corrupt, put, Reader};
use super::{base_of, mark, put_cell, read_cell, Nodes, Packed};
use crate::clock::Hlc;
use crate::error::Result;
use crate::record::FieldId;
use crate::types::lww::Lww;

/// The clocks of a record's columns, in the order of their fields; None for one without state.
pub type Cells = Vec<Option<Lww>>;

/// Reads a record whose columns are the fields `covered` into `cells`; of these, the fields `of_base` carry its base stamp. False
/// where there is more to it than the clocks of cells.
pub fn unpack_cells(
    base: &Hlc,
    x: &[u8],
    (covered, of_base): (&[FieldId], &[FieldId]),
    nodes: &impl Nodes,
    cells: &mut Cells,
) -> Result<bool> {
    let live = |field: &FieldId| of_base.contains(field).then(|| Lww::live(base.clone(), None));
    cells.clear();
    cells.extend(covered.iter().map(live));
    if !x.is_empty() && !read_exceptions(&mut Reader(x), base, covered, nodes, cells)? {
        return Ok(false);
    }
    // Else the row itself may be later than all of them.
    Ok(cells.iter().flatten().any(|cell| cell.hlc >= *base))
}

fn read_exceptions(
    r: &mut Reader<'_>,
    base: &Hlc,
    covered: &[FieldId],
    nodes: &impl Nodes,
    cells: &mut Cells,
) -> Result<bool> {
    if r.small()? != 0 {
        return Ok(false);
    }
    for _ in 0..r.small()? {
        let (field, mark) = (r.small()?, r.small()?);
        let place = covered.binary_search(&field).ok();
        let Some(cell) = place.and_then(|place| cells.get_mut(place)) else { return Ok(false) };
        *cell = read_cell(r, mark, Some(base), nodes)?;
        if cell.as_ref().is_some_and(|cell| cell.saved.is_some()) {
            return Ok(false);
        }
    }
    r.end().map(|()| true)
}

/// Writes such a record, as [`super::pack`] does.
pub fn pack_cells(cells: &[Option<Lww>], covered: &[FieldId], nodes: &impl Nodes) -> Result<Packed> {
    let base = base_of(cells.iter().flatten().map(|cell| &cell.hlc), covered.len()).ok_or_else(corrupt)?;
    let all = || covered.iter().zip(cells);
    let is_exception = |cell: &Option<Lww>| cell.as_ref().is_none_or(|cell| mark(cell, (Some(base), true)) != 0);
    let count = cells.iter().filter(|cell| is_exception(cell)).count();
    let mut x = Vec::new();
    if count > 0 {
        x.reserve(2 + 48 * count);
        put(&mut x, 0);
        put(&mut x, count as u128);
    }
    for (field, _) in all().filter(|(_, cell)| cell.is_none()) {
        put(&mut x, (*field).into());
        put(&mut x, 1);
    }
    for (field, cell) in all() {
        if let Some(cell) = cell {
            put_cell(&mut x, *field, cell, (Some(base), true), nodes)?;
        }
    }
    Ok(Packed { base: Some(base.clone()), x, apart: false })
}
