//! The data section: literals, constants and panic locations as immortal objects.
//!
//! The section is writable, because retaining and releasing an immortal object changes its count.
use std::collections::HashMap;
use std::sync::Arc;

use super::fragment::ConstObject;
use crate::consteval::ConstValue;
use crate::lower::ItemId;
use crate::ssa::layout::{DATA, IMMORTAL, LENGTH, Layouts, TAG, immediate_variant, value_type};
use crate::types::{FloatTy, Ty};

/// A data section in the making. Equal objects are shared.
#[derive(Debug, Default)]
pub struct DataSection {
    /// Contents; objects begin at multiples of 8.
    pub bytes: Vec<u8>,
    /// Places of 8 bytes that hold the address of another place in the section: `(place, target)`.
    pub pointers: Vec<(u64, u64)>,
    literals: HashMap<Arc<[u8]>, u64>,
    locations: HashMap<(Arc<str>, u32, u32), u64>,
    consts: HashMap<ItemId, u64>,
    empty_list: Option<u64>,
}

/// How a value is held in a field.
enum Image {
    Bits(u128),
    Address(u64),
}

impl DataSection {
    fn object(&mut self, size: usize) -> u64 {
        let offset = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(offset + size.next_multiple_of(8), 0);
        self.put(offset as u64, &IMMORTAL.to_le_bytes());
        offset as u64
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) {
        let start = offset as usize;
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
    }

    fn put_pointer(&mut self, offset: u64, target: u64) {
        self.pointers.push((offset, target));
    }

    fn put_image(&mut self, offset: u64, image: &Image, size: u32) {
        match image {
            Image::Bits(bits) => self.put(offset, &bits.to_le_bytes()[..size as usize]),
            Image::Address(target) => self.put_pointer(offset, *target),
        }
    }

    fn sequence(&mut self, length: usize, data_bytes: usize) -> u64 {
        let object = self.object(DATA as usize + data_bytes);
        // Length and capacity.
        self.put(object + LENGTH as u64, &(length as u64).to_le_bytes());
        self.put(object + LENGTH as u64 + 8, &(length as u64).to_le_bytes());
        object
    }

    /// Offset of the string or bytes object with this content.
    pub fn literal(&mut self, content: &Arc<[u8]>) -> u64 {
        if let Some(&offset) = self.literals.get(content) {
            return offset;
        }
        let object = self.sequence(content.len(), content.len());
        self.put(object + DATA as u64, content);
        self.literals.insert(content.clone(), object);
        object
    }

    /// Offset of the list without elements.
    pub fn empty_list(&mut self) -> u64 {
        match self.empty_list {
            Some(offset) => offset,
            None => {
                let object = self.sequence(0, 0);
                *self.empty_list.insert(object)
            }
        }
    }

    /// Offset of the record `{file: string, line: u64, column: u64}`.
    pub fn location(&mut self, file: &Arc<str>, line: u32, column: u32) -> u64 {
        let key = (file.clone(), line, column);
        if let Some(&offset) = self.locations.get(&key) {
            return offset;
        }
        let name = self.literal(&Arc::from(file.as_bytes()));
        let offset = self.bytes.len().next_multiple_of(8) as u64;
        self.bytes.resize(offset as usize + 24, 0);
        self.put_pointer(offset, name);
        self.put(offset + 8, &u64::from(line).to_le_bytes());
        self.put(offset + 16, &u64::from(column).to_le_bytes());
        self.locations.insert(key, offset);
        offset
    }

    /// Offset of a constant's object; of eight bytes that hold it, if it is a scalar.
    pub fn constant(&mut self, value: &ConstValue, ty: &Ty, layouts: &mut Layouts<'_>) -> u64 {
        match self.image(value, ty, layouts) {
            Image::Address(offset) => offset,
            bits @ Image::Bits(_) => {
                let offset = self.bytes.len().next_multiple_of(8) as u64;
                self.bytes.resize(offset as usize + 16, 0);
                self.put_image(offset, &bits, 16);
                offset
            }
        }
    }

    /// Offset of the place of a `static` that begins with this value. Never shared.
    pub fn place(&mut self, value: &ConstValue, ty: &Ty, layouts: &mut Layouts<'_>) -> u64 {
        let image = self.image(value, ty, layouts);
        let offset = self.bytes.len().next_multiple_of(8) as u64;
        self.bytes.resize(offset as usize + 16, 0);
        self.put_image(offset, &image, layouts.size(ty));
        offset
    }

    /// Offset of a const that was made apart; made once for each `item`.
    pub fn const_object(&mut self, item: ItemId, object: &ConstObject) -> u64 {
        if let Some(&offset) = self.consts.get(&item) {
            return offset;
        }
        let base = self.bytes.len().next_multiple_of(8) as u64;
        self.bytes.resize(base as usize, 0);
        self.bytes.extend_from_slice(&object.bytes);
        self.pointers.extend(object.pointers.iter().map(|(place, target)| (base + place, base + target)));
        self.consts.insert(item, base + object.root);
        base + object.root
    }

    fn image(&mut self, value: &ConstValue, ty: &Ty, layouts: &mut Layouts<'_>) -> Image {
        match value {
            ConstValue::Unit => Image::Bits(0),
            ConstValue::Int(value) => Image::Bits(*value as u128),
            ConstValue::Float(bits) => match value_type(ty) {
                Ty::Float(FloatTy::F32) => Image::Bits(u128::from((f64::from_bits(*bits) as f32).to_bits())),
                _ => Image::Bits(u128::from(*bits)),
            },
            ConstValue::Str(bytes) | ConstValue::Bytes(bytes) => Image::Address(self.literal(bytes)),
            ConstValue::List(items) => {
                let element = match value_type(ty) {
                    Ty::List(element) => element.as_ref().clone(),
                    _ => Ty::Unit,
                };
                if items.is_empty() {
                    return Image::Address(self.empty_list());
                }
                let size = layouts.size(&element);
                let object = self.sequence(items.len(), items.len() * size as usize);
                for (index, item) in items.iter().enumerate() {
                    let image = self.image(item, &element, layouts);
                    self.put_image(object + DATA as u64 + index as u64 * u64::from(size), &image, size);
                }
                Image::Address(object)
            }
            ConstValue::Record(values) => {
                let tys = layouts.fields(ty);
                let fields = layouts.record(ty);
                let object = self.object(fields.size as usize);
                self.put_fields(object, values, &tys, &fields.offsets, layouts);
                Image::Address(object)
            }
            ConstValue::Variant(variant, values) => {
                let shape = layouts.pick(ty);
                if shape.plain() {
                    return Image::Bits(u128::from(*variant));
                }
                if values.is_empty() {
                    return Image::Bits(immediate_variant(*variant) as u128);
                }
                let fields = layouts.payload(ty, *variant);
                let object = self.object(fields.size as usize);
                self.put(object + TAG as u64, &variant.to_le_bytes());
                let tys = shape.variants.get(*variant as usize).map_or(&[][..], |(tys, _)| tys);
                self.put_fields(object, values, tys, &fields.offsets, layouts);
                Image::Address(object)
            }
        }
    }

    fn put_fields(
        &mut self,
        object: u64,
        values: &[ConstValue],
        tys: &[Ty],
        offsets: &[i32],
        layouts: &mut Layouts<'_>,
    ) {
        for ((value, ty), offset) in values.iter().zip(tys).zip(offsets) {
            // A constant may be a long chain.
            let image = stacker::maybe_grow(64 << 10, 1 << 20, || self.image(value, ty, layouts));
            let size = layouts.size(ty);
            self.put_image(object + *offset as u64, &image, size);
        }
    }
}
