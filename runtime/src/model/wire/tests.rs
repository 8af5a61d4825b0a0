use super::*;
use crate::model::{Action, Input, JsonText, OperationId, Timestamp};

fn record() -> TurnRecord {
    TurnRecord {
        turn_number: 3,
        time: Timestamp(1_700_000_000_000_000),
        polled: true,
        inputs: vec![Input::TaskCompleted {
            operation: OperationId(1),
            result: JsonText::from_string("\"ok\"".into()),
        }],
        actions: vec![Action::CreateTimer {
            operation: OperationId(2),
            fire_at: Timestamp(1_700_000_060_000_000),
            location: crate::model::SourceLocation { file: "src/a.rs".into(), line: 1, column: 2 },
        }],
    }
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    assert_eq!(decode_record(&encode_record(&record())), Ok(record()));
}

#[test]
fn b05_every_flipped_bit_is_found() {
    let bytes = encode_record(&record());
    for position in 0..bytes.len() * 8 {
        let mut damaged = bytes.to_vec();
        damaged[position / 8] ^= 1 << (position % 8);
        assert_eq!(decode_record(&damaged.into()), Err(WireError::Checksum), "bit {position}");
    }
    assert_eq!(decode_record(&Bytes::new()), Err(WireError::Checksum));
}

#[test]
fn c1_a_newer_format_is_refused() {
    let newer = schema::TurnRecord { format: FORMAT + 1, ..schema::TurnRecord::from(&record()) };
    assert_eq!(decode_record(&seal(&newer)), Err(WireError::NewerFormat(FORMAT + 1)));
}
