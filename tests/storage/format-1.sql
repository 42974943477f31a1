PRAGMA application_id = 1634161491;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE discarded (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE sessions (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, speaker TEXT,
    begun TEXT NOT NULL, changed TEXT NOT NULL
);
INSERT INTO "sessions" VALUES(1,'ana','Ana','2026-11-29T00:52:16.094+00:00','2026-11-29T00:52:16.129+00:00');
INSERT INTO "sessions" VALUES(4,'ben',NULL,'2026-11-29T00:52:16.154+00:00','2026-11-29T00:52:16.154+00:00');
CREATE TABLE sounds (
    name TEXT NOT NULL, session INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (name, session, number),
    FOREIGN KEY (session, number) REFERENCES turns ON DELETE CASCADE
) WITHOUT ROWID;
CREATE TABLE turns (
    session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE, number INTEGER NOT NULL, at TEXT NOT NULL,
    stop TEXT NOT NULL, model TEXT NOT NULL, voice TEXT, error TEXT, counts TEXT NOT NULL, messages TEXT NOT NULL,
    PRIMARY KEY (session, number)
);
INSERT INTO "turns" VALUES(1,1,'2026-11-29T00:52:16.094+00:00','answered','scripted',NULL,NULL,'[{}, {"heard": 0.014879513997584581, "first_audio": 0.015132214997720439, "total": 0.01566345700121019}]','[{"role": "user", "parts": [{"type": "audio", "file": null, "sample_rate_hz": 16000, "transcript": "how are you"}], "failed": false}, {"role": "assistant", "parts": [{"type": "speech", "text": "Well, thank you.", "file": null, "sample_rate_hz": null, "tokens": null, "interrupted": false, "cut_s": null}], "failed": false}]');
INSERT INTO "turns" VALUES(1,2,'2026-11-29T00:52:16.121+00:00','answered','scripted',NULL,NULL,'[{}, {"first_audio": 0.005406887001299765, "total": 0.005884313002752606}]','[{"role": "user", "parts": [{"type": "text", "text": "where is Zürich"}], "failed": false}, {"role": "assistant", "parts": [{"type": "tool_call", "id": "call_2_1", "name": "look", "arguments": {"place": "Zürich"}}], "failed": false}, {"role": "tool", "parts": [{"type": "tool_output", "call_id": "call_2_1", "name": "look", "text": "Zürich is there", "passages": [], "is_error": false}], "failed": false}, {"role": "assistant", "parts": [{"type": "speech", "text": "It is there.", "file": null, "sample_rate_hz": null, "tokens": null, "interrupted": false, "cut_s": null}], "failed": false}]');
INSERT INTO "turns" VALUES(1,3,'2026-11-29T00:52:16.129+00:00','tool_calls','scripted',NULL,NULL,'[{}, {"total": 0.0005148849959368818}]','[{"role": "user", "parts": [{"type": "text", "text": "open the door"}], "failed": false}, {"role": "assistant", "parts": [{"type": "tool_call", "id": "call_4_1", "name": "door", "arguments": {}}], "failed": false}]');
INSERT INTO "turns" VALUES(4,1,'2026-11-29T00:52:16.154+00:00','failed','scripted',NULL,'the line is dead','[{}, {"total": 0.0004904739980702288}]','[{"role": "user", "parts": [{"type": "text", "text": "hello"}], "failed": false}, {"role": "assistant", "parts": [{"type": "speech", "text": "Yes", "file": null, "sample_rate_hz": null, "tokens": {"ids": [1, 2], "codec": "cosyvoice2", "rate_hz": 25.0}, "interrupted": true, "cut_s": null}], "failed": true}]');
CREATE TABLE voices (
    voice TEXT NOT NULL, session INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (voice, session, number),
    FOREIGN KEY (session, number) REFERENCES turns ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX sessions_by_speaker ON sessions (speaker) WHERE speaker IS NOT NULL;
CREATE INDEX turns_by_time ON turns (at);
CREATE INDEX voices_by_turn ON voices (session, number);
CREATE INDEX sounds_by_turn ON sounds (session, number);
CREATE TRIGGER sound_of_erased AFTER DELETE ON sounds BEGIN INSERT OR IGNORE INTO discarded VALUES (old.name); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('sessions',4);
COMMIT;
