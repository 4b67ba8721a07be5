-- A fleet's records, straight from S3, with DuckDB: calls and tokens for each host, model and day.
--
-- DuckDB (https://duckdb.org) is one program without a server. It reads the objects where they are;
-- nothing is loaded anywhere. To use this file:
--
--   1. Say where the records are: put bucket (and prefix, if you configured one) into the next
--      statement. The stars stand for account, Region, year, month, day, hour and object. To read less,
--      write out what you know: .../111122223333/BedrockModelInvocationLogs/eu-central-1/2026/09/*/*/*.json*
--      Large bodies, in the folders data/, are left out by this pattern; so they should be.
--   2. Say who you are, if the place is S3 (a local folder needs neither this nor a network):
--        INSTALL httpfs; INSTALL aws;
--        CREATE SECRET (TYPE s3, PROVIDER credential_chain, REGION 'eu-central-1');
--      and for MinIO and its like:
--        CREATE SECRET (TYPE s3, KEY_ID '...', SECRET '...', ENDPOINT '127.0.0.1:9000', URL_STYLE 'path',
--                       USE_SSL false);
--   3. duckdb -init exporters/duckdb.sql          (or paste it, or .read it)
--
-- What AWS's own Model Invocation Logging writes has the same form and can be read along with it; only the
-- key `invlog`, which says what AWS has no field for, is absent there.

-- A place that was set before stays: SET VARIABLE records = '...';
SET VARIABLE records = coalesce(getvariable('records'),
  's3://records-eu/AWSLogs/*/BedrockModelInvocationLogs/*/*/*/*/*/*.json*');

-- One row for each invocation. The columns are written out, so that they do not depend on what the first
-- object happens to hold. Objects may be .json.gz, .json.zst or .json.
CREATE OR REPLACE VIEW invocation AS
SELECT
  "timestamp",
  coalesce(invlog ->> '$.host', '(AWS''s own log)') AS host,
  accountId AS account_id,
  region AS source_region,
  inferenceRegion AS inference_region,       -- where it was processed, if known
  operation,
  modelId AS model_id,
  requestId AS request_id,
  identity.arn AS identity_arn,
  errorCode AS error_code,
  -- An error within a stream has a code and status 200; a 502 or a cut call has no code.
  errorCode IS NOT NULL OR coalesce(invlog ->> '$.outcome' <> 'complete', false)
    OR coalesce(CAST(invlog ->> '$.status' AS BIGINT) >= 400, false) AS failed,
  requestMetadata AS request_metadata,
  input.inputTokenCount AS input_tokens,     -- without those that came from or went into the cache
  input.cacheReadInputTokenCount AS cache_read_tokens,
  input.cacheWriteInputTokenCount AS cache_write_tokens,
  output.outputTokenCount AS output_tokens,
  input.inputBodyJson AS input_body,         -- NULL if it is an object of its own: then input_body_s3_path
  input.inputBodyS3Path AS input_body_s3_path,
  output.outputBodyJson AS output_body,
  output.outputBodyS3Path AS output_body_s3_path,
  CAST(invlog ->> '$.id' AS BIGINT) AS record_id,
  invlog ->> '$.outcome' AS outcome,
  invlog ->> '$.scope' AS scope,
  CAST(invlog ->> '$.latencyMs' AS DOUBLE) AS latency_ms,
  invlog ->> '$.caller.user' AS caller,
  invlog,
  filename AS object
FROM read_json(getvariable('records'),
  format = 'newline_delimited',
  filename = true,
  maximum_object_size = 67108864,            -- a line with both bodies in it (large_bodies = false)
  columns = {
    "timestamp": 'TIMESTAMP',
    accountId: 'VARCHAR',
    region: 'VARCHAR',
    requestId: 'VARCHAR',
    operation: 'VARCHAR',
    modelId: 'VARCHAR',
    errorCode: 'VARCHAR',
    inferenceRegion: 'VARCHAR',
    requestMetadata: 'JSON',
    "identity": 'STRUCT(arn VARCHAR)',
    input: 'STRUCT(inputContentType VARCHAR, inputBodyJson JSON, inputBodyS3Path VARCHAR,
                   inputTokenCount BIGINT, cacheReadInputTokenCount BIGINT,
                   cacheWriteInputTokenCount BIGINT)',
    output: 'STRUCT(outputContentType VARCHAR, outputBodyJson JSON, outputBodyS3Path VARCHAR,
                    outputTokenCount BIGINT)',
    invlog: 'JSON'
  });

-- Calls and tokens for each host, model and day.
SELECT
  host,
  model_id,
  CAST("timestamp" AS DATE) AS day,
  count(*) AS calls,
  count_if(failed) AS errors,
  sum(input_tokens) AS input_tokens,
  sum(cache_read_tokens) AS cache_read_tokens,
  sum(cache_write_tokens) AS cache_write_tokens,
  sum(output_tokens) AS output_tokens
FROM invocation
GROUP BY host, model_id, day
ORDER BY host, model_id, day;
