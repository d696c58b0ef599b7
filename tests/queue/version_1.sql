PRAGMA page_size = 16384;
PRAGMA application_id = 1702261603;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE checkpoint(timeline INTEGER NOT NULL, acknowledged INTEGER NOT NULL) STRICT;
INSERT INTO "checkpoint" VALUES(1,250);
CREATE TABLE event(
    seq INTEGER PRIMARY KEY, relation INTEGER NOT NULL, message BLOB NOT NULL) STRICT;
INSERT INTO "event" VALUES(1,1,X'49000000004E0001740000000161');
INSERT INTO "event" VALUES(2,1,X'49000000004E0001740000000162');
INSERT INTO "event" VALUES(3,2,X'49000000004E0002740000000163740000000137');
INSERT INTO "event" VALUES(4,3,X'49000000004E0002740000000164740000000137');
CREATE TABLE operator(name TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT;
INSERT INTO "operator" VALUES('post_counts',2);
INSERT INTO "operator" VALUES('notify',4);
CREATE TABLE origin(system_id TEXT NOT NULL, database TEXT NOT NULL, slot TEXT NOT NULL) STRICT;
INSERT INTO "origin" VALUES('7300000000000000001','blog','postgres_slot');
CREATE TABLE relation(
    version INTEGER PRIMARY KEY, message BLOB NOT NULL, description TEXT NOT NULL) STRICT;
INSERT INTO "relation" VALUES(1,X'52000002397075626C696300706F737473006400010169640000000019FFFFFFFF','{"database":"blog","oid":569,"schema":"public","table":"posts","identity":"d","columns":[{"name":"id","type_oid":25,"typmod":-1,"in_identity":true,"type_name":"text","value_oid":25}],"primary_key":[],"partitioned":false,"ancestors":[]}');
INSERT INTO "relation" VALUES(2,X'52000003667075626C696300636F6D6D656E7473006400020169640000000019FFFFFFFF00706F73745F69640000000019FFFFFFFF','{"database":"blog","oid":870,"schema":"public","table":"comments","identity":"d","columns":[{"name":"id","type_oid":25,"typmod":-1,"in_identity":true,"type_name":"text","value_oid":25},{"name":"post_id","type_oid":25,"typmod":-1,"in_identity":false,"type_name":"text","value_oid":25}],"primary_key":[],"partitioned":false,"ancestors":[]}');
INSERT INTO "relation" VALUES(3,X'52000002397075626C696300706F737473006400020169640000000019FFFFFFFF007469746C650000000019FFFFFFFF','{"database":"blog","oid":569,"schema":"public","table":"posts","identity":"d","columns":[{"name":"id","type_oid":25,"typmod":-1,"in_identity":true,"type_name":"text","value_oid":25},{"name":"title","type_oid":25,"typmod":-1,"in_identity":false,"type_name":"text","value_oid":25}],"primary_key":[],"partitioned":false,"ancestors":[]}');
CREATE TABLE txn(
    last_seq INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, end_lsn INTEGER NOT NULL,
    commit_lsn INTEGER NOT NULL, xid INTEGER NOT NULL, committed_at INTEGER NOT NULL) STRICT;
INSERT INTO "txn" VALUES(2,1,200,190,200,5);
INSERT INTO "txn" VALUES(3,3,300,290,300,5);
INSERT INTO "txn" VALUES(4,4,400,390,400,5);
COMMIT;
