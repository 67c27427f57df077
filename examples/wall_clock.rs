//! For scripts that `make soak` prints: an extension that lets SQL set the wall clock, and makes `randomblob()` repeatable.
//!
//! `SELECT wall_clock(ms)` sets the time, in milliseconds since the Unix epoch, for every database that is opened after this
//! library was loaded. `SELECT wall_clock(ms, seed)` also says what `randomblob()` gives next on this connection.

use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicI64, AtomicPtr, AtomicU64, Ordering::SeqCst};
use std::sync::Once;

use sqlite3ext_sys::{sqlite3, sqlite3_api_routines, sqlite3_context, sqlite3_value, sqlite3_vfs};

/// Milliseconds from the start of the Julian period to the Unix epoch.
const JULIAN_EPOCH: i64 = 210_866_760_000_000;
const UTF8_INNOCUOUS: c_int = 1 | 0x20_0000;
const LOAD_PERMANENTLY: c_int = 256;

static NOW: AtomicI64 = AtomicI64::new(1_767_225_600_000);
static CHANCE: AtomicU64 = AtomicU64::new(0);
static API: AtomicPtr<sqlite3_api_routines> = AtomicPtr::new(std::ptr::null_mut());

/// SQLite's routines.
fn api() -> &'static sqlite3_api_routines {
    // SAFETY: set by the entry point before anything that calls this is registered; SQLite's table lives for ever.
    unsafe { &*API.load(SeqCst) }
}

unsafe extern "C" fn integer(_: *mut sqlite3_vfs, out: *mut i64) -> c_int {
    // SAFETY: SQLite passes a pointer to one integer.
    unsafe { *out = JULIAN_EPOCH + NOW.load(SeqCst) };
    0
}

unsafe extern "C" fn real(_: *mut sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: SQLite passes a pointer to one double.
    unsafe { *out = (JULIAN_EPOCH + NOW.load(SeqCst)) as f64 / 86_400_000.0 };
    0
}

unsafe extern "C" fn wall_clock(context: *mut sqlite3_context, count: c_int, values: *mut *mut sqlite3_value) {
    let (Some(read), Some(answer)) = (api().value_int64, api().result_int64) else { return };
    // SAFETY: SQLite passes `count` values, one at the least.
    unsafe {
        NOW.store(read(*values), SeqCst);
        if count > 1 {
            CHANCE.store(read(*values.add(1)) as u64, SeqCst);
        }
        answer(context, NOW.load(SeqCst));
    }
}

/// SplitMix64, the last byte of each number, as the simulation has it.
unsafe extern "C" fn randomblob(context: *mut sqlite3_context, _: c_int, values: *mut *mut sqlite3_value) {
    let (Some(read), Some(answer)) = (api().value_int64, api().result_blob) else { return };
    // SAFETY: one value; SQLite copies the bytes (-1: transient).
    unsafe {
        let mut state = CHANCE.fetch_add(1, SeqCst);
        let count = read(*values).clamp(1, 1_000);
        let bytes: Vec<u8> = (0..count).map(|_| (next(&mut state) % 256) as u8).collect();
        let transient = std::mem::transmute::<isize, Option<unsafe extern "C" fn(*mut c_void)>>(-1);
        answer(context, bytes.as_ptr().cast(), bytes.len() as c_int, transient);
    }
}

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The entry point that SQLite looks for.
///
/// # Safety
/// SQLite calls it with an open connection and its table of routines.
#[no_mangle]
pub unsafe extern "C" fn sqlite3_wallclock_init(
    db: *mut sqlite3,
    _: *mut *mut c_char,
    routines: *const sqlite3_api_routines,
) -> c_int {
    static ONCE: Once = Once::new();
    API.store(routines.cast_mut(), SeqCst);
    let (Some(create), Some(find), Some(register)) = (api().create_function_v2, api().vfs_find, api().vfs_register)
    else {
        return 1;
    };
    // SAFETY: a copy (leaked) of the default VFS works as it does, as its methods look at `pAppData` only.
    ONCE.call_once(|| unsafe {
        let mut vfs = *find(std::ptr::null());
        vfs.zName = c"wall_clock".as_ptr();
        vfs.pNext = std::ptr::null_mut();
        vfs.xCurrentTime = Some(real);
        vfs.xCurrentTimeInt64 = Some(integer);
        register(Box::leak(Box::new(vfs)), 1);
    });
    let none = std::ptr::null_mut();
    for (name, count, run) in [
        (c"wall_clock", 1, wall_clock as unsafe extern "C" fn(_, _, _)),
        (c"wall_clock", 2, wall_clock),
        (c"randomblob", 1, randomblob),
    ] {
        // SAFETY: an open connection, static names.
        let code = unsafe { create(db, name.as_ptr(), count, UTF8_INNOCUOUS, none, Some(run), None, None, None) };
        if code != 0 {
            return code;
        }
    }
    LOAD_PERMANENTLY
}
