-- purpose: transactions that wait for an application service
-- locks: ACCESS SHARE on application_services_txns, application_services_state
-- safe while Synapse runs: yes; small tables
-- schema: 84-94
SELECT as_id AS name, coalesce(max(s.state), 'up') AS state, count(t.txn_id) AS waiting, min(t.txn_id) AS oldest, max(t.txn_id) AS newest
FROM application_services_txns AS t FULL JOIN application_services_state AS s USING (as_id)
GROUP BY as_id
ORDER BY 3 DESC, 1
LIMIT :'limit'::bigint;
