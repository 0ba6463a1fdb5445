-- The warehouse's own tables, read by the models and written by orchestration/warehouse.py and by the materialisations.

create table if not exists ops.deliveries (
    source varchar,
    delivery_id varchar,
    delivery_order bigint,
    file_name varchar,
    sha256 varchar,
    received_at varchar,
    file_date varchar,
    is_partial boolean,
    status varchar,
    reason varchar,
    layout varchar,
    load_key varchar,
    records_read bigint,
    raw_rows bigint,
    malformed bigint,
    extra_columns varchar,
    missing_columns varchar
);

-- What each part of each model was built from (dbt_project/macros/build_keys.sql).
create table if not exists ops.build_keys (
    model varchar,
    part varchar,
    code_key varchar,
    build_key varchar,
    content_key varchar
);

-- What became of the records of each delivery, in records (dbt_project/macros/materializations/staged.sql).
create table if not exists ops.staging_outcomes (
    source varchar,
    delivery_id varchar,
    period varchar,
    staged bigint default 0,
    rejected bigint default 0,
    superseded bigint default 0,
    duplicate bigint default 0,
    out_of_scope bigint default 0
);

create table if not exists ops.rejects (
    source varchar,
    delivery_id varchar,
    record_no bigint,
    reason varchar,
    record varchar
);

create table if not exists ops.territory (
    name varchar,
    siren varchar,
    time_zone varchar,
    min_lon double,
    min_lat double,
    max_lon double,
    max_lat double,
    reach_m double,
    as_of date,
    is_synthetic boolean
);

-- The communes of the territory, by their codes in one vintage of the official geographic code.
create table if not exists ops.territory_communes (
    vintage integer,
    commune_code varchar
);

-- What the cards say of every source that the models may read, enabled or not.
create table if not exists ops.sources (
    source varchar,
    theme varchar,
    family varchar,
    time_zone varchar,
    repeated_hour varchar,
    is_enabled boolean
);

create table if not exists ops.last_release (
    mart varchar,
    source varchar,
    period varchar,
    rows bigint
);

create table if not exists ops.mart_sources (
    mart varchar,
    source varchar
);

-- What became of every record of every delivery. Receipts give what was read; staging gives the rest, each term counted on
-- its own. records_read = raw_rows + malformed; raw_rows = staged + rejected + superseded + duplicate + out_of_scope.
create or replace view ops.ledger as
with outcomes as (
    select
        source,
        delivery_id,
        cast(sum(staged) as bigint) as staged,
        cast(sum(rejected) as bigint) as rejected,
        cast(sum(superseded) as bigint) as superseded,
        cast(sum(duplicate) as bigint) as duplicate,
        cast(sum(out_of_scope) as bigint) as out_of_scope
    from ops.staging_outcomes
    group by source, delivery_id
)

select
    deliveries.source,
    deliveries.delivery_id,
    deliveries.file_name,
    deliveries.sha256,
    deliveries.received_at,
    deliveries.records_read,
    deliveries.raw_rows,
    deliveries.malformed,
    coalesce(outcomes.staged, 0) as staged,
    coalesce(outcomes.rejected, 0) as rejected,
    coalesce(outcomes.superseded, 0) as superseded,
    coalesce(outcomes.duplicate, 0) as duplicate,
    coalesce(outcomes.out_of_scope, 0) as out_of_scope
from ops.deliveries as deliveries
left join outcomes
    on deliveries.source = outcomes.source and deliveries.delivery_id = outcomes.delivery_id
where deliveries.status = 'loaded';
