use std::io::Cursor;

use super::*;

/// A file of zeros into which numbers and bytes are put.
struct Made(Vec<u8>);

impl Made {
    fn new() -> Self {
        Self(vec![0; 4_096])
    }

    fn put(mut self, place: usize, bytes: &[u8]) -> Self {
        self.0[place..place + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn number(self, place: usize, length: usize, value: u64) -> Self {
        self.put(place, &value.to_le_bytes()[..length])
    }

    fn identity(&self, read: fn(&mut dyn At) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        read(&mut Bytes(&mut Cursor::new(self.0.clone())))
    }
}

fn read(read: impl Fn(&mut dyn At) -> Option<Vec<u8>>, bytes: &[u8]) -> Option<Vec<u8>> {
    read(&mut Bytes(&mut Cursor::new(bytes.to_vec())))
}

/// A note of another kind, then the identity.
fn notes() -> Vec<u8> {
    let mut notes = Vec::new();
    for (kind, content) in [(1_u32, vec![9; 5]), (3, vec![7; 20])] {
        notes.extend(4_u32.to_le_bytes());
        notes.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        notes.extend(kind.to_le_bytes());
        notes.extend(b"GNU\0");
        notes.extend(&content);
        notes.resize(notes.len().next_multiple_of(4), 0);
    }
    notes
}

fn wide_elf() -> Made {
    let notes = notes();
    let file = Made::new().put(0, b"\x7fELF\x02\x01").number(32, 8, 64).number(54, 2, 56).number(56, 2, 2);
    let second = 64 + 56;
    let length = notes.len() as u64;
    file.number(64, 4, 1)
        .number(second, 4, 4)
        .number(second + 8, 8, 1_000)
        .number(second + 32, 8, length)
        .put(1_000, &notes)
}

fn narrow_elf() -> Made {
    let notes = notes();
    let file = Made::new().put(0, b"\x7fELF\x01\x01").number(28, 4, 52).number(42, 2, 32).number(44, 2, 1);
    file.number(52, 4, 4).number(56, 4, 1_000).number(68, 4, notes.len() as u64).put(1_000, &notes)
}

fn mach_o_at(file: Made, place: usize, uuid: u8) -> Made {
    let file = file.put(place, &[0xcf, 0xfa, 0xed, 0xfe]).number(place + 16, 4, 2).number(place + 20, 4, 16 + 24);
    let commands = place + 32;
    let file = file.number(commands, 4, 2).number(commands + 4, 4, 16);
    file.number(commands + 16, 4, 0x1b).number(commands + 20, 4, 24).put(commands + 24, &[uuid; 16])
}

fn universal() -> Made {
    let file = Made::new().put(0, &[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2]);
    let file = file.put(16, &1_024_u32.to_be_bytes()).put(36, &2_048_u32.to_be_bytes());
    mach_o_at(mach_o_at(file, 1_024, 1), 2_048, 2)
}

fn pe() -> Made {
    let file = Made::new().put(0, b"MZ").number(0x3c, 4, 128).put(128, b"PE\0\0").number(134, 2, 1).number(148, 2, 240);
    // The optional header, its debug directory, and the one section, whose address 4096 is at 1024 in the file.
    let file = file.number(152, 2, 0x20b).number(152 + 112 + 48, 4, 4_096 + 16).number(152 + 112 + 52, 4, 56);
    let section = 152 + 240;
    let file = file.number(section + 8, 4, 512).number(section + 12, 4, 4_096).number(section + 16, 4, 512);
    let file = file.number(section + 20, 4, 1_024);
    let (first, second) = (1_024 + 16, 1_024 + 16 + 28);
    let file = file.number(first + 12, 4, 12).number(first + 16, 4, 4).number(first + 24, 4, 2_000);
    let file = file.number(second + 12, 4, 2).number(second + 16, 4, 30).number(second + 24, 4, 2_048);
    file.put(2_048, b"RSDS").put(2_052, &[5; 16]).put(2_068, &[1, 0, 0, 0]).put(2_072, b"a.pdb")
}

#[test]
fn the_identity_is_found_in_each_format() {
    for elf in [wide_elf(), narrow_elf()] {
        assert_eq!(elf.identity(elf::build_id), Some(vec![7; 20]));
    }
    assert_eq!(mach_o_at(Made::new(), 0, 3).identity(mach_o::build_id), Some(vec![3; 16]));
    assert_eq!(universal().identity(mach_o::build_id), Some([vec![1; 16], vec![2; 16]].concat()));
    assert_eq!(pe().identity(pe::build_id), Some([vec![5; 16], vec![1, 0, 0, 0]].concat()));
}

/// Whatever is wrong with a file, it is read to an end without a panic, and builds are still told apart.
#[test]
fn a_damaged_file_has_the_hash_of_its_content() {
    for made in [wide_elf(), narrow_elf(), mach_o_at(Made::new(), 0, 3), universal(), pe()] {
        for place in 0..512 {
            let mut damaged = made.0.clone();
            damaged[place] ^= 0xff;
            for format in [elf::build_id, mach_o::build_id, pe::build_id] {
                read(format, &damaged);
                read(format, &damaged[..place]);
            }
        }
    }
    let of = |bytes: &[u8]| of_file(&mut Cursor::new(bytes.to_vec())).unwrap();
    let (first, second) = (vec![1; 200_000], [vec![1; 199_999], vec![2]].concat());
    assert_eq!(of(&first), of(&first));
    assert_ne!(of(&first), of(&second));
    assert_ne!(of(b""), BuildId::UNKNOWN);
}

#[test]
fn this_program_has_a_build_and_keeps_it() {
    let build = of_this_program();
    assert_ne!(build, BuildId::UNKNOWN);
    assert_eq!(build, of_this_program());
    assert_eq!(build, File::open(executable().unwrap()).and_then(|mut file| of_file(&mut file)).unwrap());
}
