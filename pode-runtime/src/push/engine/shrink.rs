//! Collections return memory after a peak.

/// Shrinks a collection that has memory for more than four times its items.
macro_rules! shrink {
    ($items:expr $(, $hash:expr)?) => {
        if $items.capacity() > 64 && $items.len() < $items.capacity() / 4 {
            $items.shrink_to(2 * $items.len() $(, $hash)?);
        }
    };
}

pub(super) use shrink;
