//! What a file of flow logs declares: its schema, and how it is written.

use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::schema::types::Type;

use crate::{Column, Columns, Kind};

/// Records of a row group: few enough that a filtered read skips most of a file.
pub(super) const ROW_GROUP_ROWS: usize = 131_072;
/// The order of records inside a file.
pub(super) const SORTED_BY: [&str; 2] = ["interface-id", "start"];
/// Of zstd; higher levels make flow logs hardly smaller.
pub(super) const ZSTD_LEVEL: i32 = 1;

/// Column names are AWS's with underscores, types those of "Flow log records" (Amazon VPC User
/// Guide). Numbers can be NULL.
pub(super) fn schema(columns: &Columns) -> Result<Arc<Type>, ParquetError> {
    let field = |column: &Column| {
        let (physical, logical, repetition) = match column.kind() {
            Kind::Int32 => (Physical::INT32, None, Repetition::OPTIONAL),
            Kind::Int64 => (Physical::INT64, None, Repetition::OPTIONAL),
            Kind::Address | Kind::Text => (
                Physical::BYTE_ARRAY,
                Some(LogicalType::String),
                Repetition::REQUIRED,
            ),
        };
        let field = Type::primitive_type_builder(&column.parquet_name(), physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .build()?;
        Ok(Arc::new(field))
    };
    let fields: Result<_, ParquetError> = columns.iter().map(field).collect();
    let schema = Type::group_type_builder("flow_log")
        .with_fields(fields?)
        .build()?;
    Ok(Arc::new(schema))
}

/// What the file says of itself; its column chunks are made by `chunk`.
pub(super) fn properties(columns: &Columns) -> WriterProperties {
    let sorting = SORTED_BY.iter().map_while(|name| {
        let column_idx = i32::try_from(columns.position(name)?).ok()?;
        Some(SortingColumn {
            column_idx,
            descending: false,
            nulls_first: true,
        })
    });
    WriterProperties::builder()
        // A version would make files of two releases differ.
        .set_created_by("weir".to_owned())
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_sorting_columns(Some(sorting.collect()))
        .build()
}

/// How pages are compressed.
pub(super) fn compression() -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default())
}
