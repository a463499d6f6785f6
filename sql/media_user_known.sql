-- purpose: whether this server knows a user, as an account or as the owner of media
-- locks: ACCESS SHARE on users, local_media_repository
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT EXISTS (SELECT FROM users WHERE name = :'user') OR EXISTS (SELECT FROM local_media_repository WHERE user_id = :'user') AS known;
