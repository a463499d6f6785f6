-- purpose: how far the bot's own journal is; compared with the state directory to notice a restored backup
-- locks: none beyond reading
-- safe while Synapse runs: yes, it reads the bot's own schema only
-- schema: the bot's own (search_path)
SELECT coalesce((SELECT max(number) FROM job), 0) AS last_job,
       (SELECT last_value FROM outbox_id_seq) AS last_send,
       floor(extract(epoch FROM now()) * 1000)::bigint AS now_ms
