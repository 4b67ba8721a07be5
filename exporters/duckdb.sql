-- A fleet's records where they are: DuckDB reads the objects that every host shipped to one bucket.
--
-- Before it, once for each connection:  INSTALL httpfs; LOAD httpfs; CREATE SECRET (TYPE s3, PROVIDER credential_chain);
-- Replace s3://records-eu by the bucket and prefix. A folder that holds a copy of them serves as well.
--
-- The path has exactly as many parts as a record object's, so that data/ (bodies over 100 KB, which the records point to)
-- is not read. Narrow it to what is asked for, */2026/11/25/*/ in the place of */*/*/*/*/, and only that is fetched.
CREATE OR REPLACE VIEW records AS
SELECT *
FROM read_json('s3://records-eu/AWSLogs/*/BedrockModelInvocationLogs/*/*/*/*/*/*.json*',
               format = 'newline_delimited', compression = 'auto', filename = true, maximum_object_size = 67108864,
               columns = {schemaType: 'VARCHAR', schemaVersion: 'VARCHAR', timestamp: 'TIMESTAMPTZ', accountId: 'VARCHAR',
                          identity: 'STRUCT(arn VARCHAR)', region: 'VARCHAR', requestId: 'VARCHAR', operation: 'VARCHAR',
                          modelId: 'VARCHAR', inferenceRegion: 'VARCHAR', errorCode: 'VARCHAR', requestMetadata: 'MAP(VARCHAR, VARCHAR)',
                          input: 'STRUCT(inputContentType VARCHAR, inputBodyJson JSON, inputBodyS3Path VARCHAR,
                                         inputTokenCount BIGINT, cacheReadInputTokenCount BIGINT, cacheWriteInputTokenCount BIGINT)',
                          output: 'STRUCT(outputContentType VARCHAR, outputBodyJson JSON, outputBodyS3Path VARCHAR, outputTokenCount BIGINT)',
                          invlog: 'JSON'})
WHERE schemaType = 'ModelInvocationLog';

-- The names that `invlog query` has for the same things.
CREATE OR REPLACE VIEW invocations AS
SELECT requestId AS request_id, timestamp AS started_at, CAST(timestamp AS DATE) AS day, accountId AS account, region AS source_region,
       invlog ->> '$.host' AS host, operation, modelId AS model, invlog ->> '$.outcome' AS outcome, errorCode AS error,
       input.inputTokenCount AS input_tokens, output.outputTokenCount AS output_tokens,
       input.cacheReadInputTokenCount AS cache_read_tokens, input.cacheWriteInputTokenCount AS cache_write_tokens,
       CAST(invlog ->> '$.latencyMs' AS DOUBLE) AS latency_ms, invlog ->> '$.caller.user' AS caller, identity.arn AS identity_arn,
       inferenceRegion AS inference_region, requestMetadata AS request_metadata,
       input.inputBodyJson AS request, coalesce(input.inputBodyS3Path, '') AS request_at,
       output.outputBodyJson AS response, coalesce(output.outputBodyS3Path, '') AS response_at, filename AS object
FROM records;
