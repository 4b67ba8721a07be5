-- Athena over what invlog and AWS's own Model Invocation Logging write to S3: one table for both, since
-- names, folders and fields are the same.
--
-- Amazon Athena runs SQL over objects in S3 and is paid by the bytes it reads. Open its console in the
-- bucket's Region, and run the statements of this file one after another, after these changes:
--
--   records-eu/    your bucket, and your prefix if you configured one: records-eu/team/
--   111122223333   your account; several with commas between them
--   eu-central-1   your source Region; several with commas between them
--   2026/01/01/00  the first hour for which there are records
--
-- There is nothing to load and no partition to add, today or later: Athena computes the folders from the
-- properties below ("partition projection"). It looks into one folder for each account, Region and hour
-- that a query asks for, so ask for a time, always: WHERE date_hour >= '2026/09/01/00'.

CREATE EXTERNAL TABLE bedrock_invocation_logs (
  schematype string,
  schemaversion string,
  `timestamp` string,
  accountid string,
  identity struct<arn:string>,
  region string,
  requestid string,
  operation string,
  modelid string,
  errorcode string,
  inferenceregion string,
  requestmetadata map<string,string>,
  performanceconfig struct<latency:string>,
  status string,
  input struct<
    inputcontenttype:string,
    inputbodyjson:string,
    inputbodys3path:string,
    inputtokencount:bigint,
    cachereadinputtokencount:bigint,
    cachewriteinputtokencount:bigint>,
  output struct<
    outputcontenttype:string,
    outputbodyjson:string,
    outputbodys3path:string,
    outputtokencount:bigint,
    outputimageheight:bigint,
    outputimagewidth:bigint,
    outputimagebucketedstepsize:bigint>,
  invlog string
)
PARTITIONED BY (account string, source_region string, date_hour string)
-- This SerDe gives a JSON object as text where the column is a string: bodies are of many forms.
-- Bodies may have keys that differ in nothing but case, which is an error unless the SerDe minds case;
-- and then it must be told each name that has capitals.
-- Athena also reads the folders data/, where large bodies are. Their lines are no records, and need not be
-- JSON ('ignore.malformed.json'); the view below leaves them out, by their place, since a body could be made
-- to look like a record. So query the view.
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
WITH SERDEPROPERTIES (
  'ignore.malformed.json' = 'true',
  'case.insensitive' = 'false',
  'mapping.schematype' = 'schemaType',
  'mapping.schemaversion' = 'schemaVersion',
  'mapping.accountid' = 'accountId',
  'mapping.requestid' = 'requestId',
  'mapping.modelid' = 'modelId',
  'mapping.errorcode' = 'errorCode',
  'mapping.inferenceregion' = 'inferenceRegion',
  'mapping.requestmetadata' = 'requestMetadata',
  'mapping.performanceconfig' = 'performanceConfig',
  'mapping.inputcontenttype' = 'inputContentType',
  'mapping.inputbodyjson' = 'inputBodyJson',
  'mapping.inputbodys3path' = 'inputBodyS3Path',
  'mapping.inputtokencount' = 'inputTokenCount',
  'mapping.cachereadinputtokencount' = 'cacheReadInputTokenCount',
  'mapping.cachewriteinputtokencount' = 'cacheWriteInputTokenCount',
  'mapping.outputcontenttype' = 'outputContentType',
  'mapping.outputbodyjson' = 'outputBodyJson',
  'mapping.outputbodys3path' = 'outputBodyS3Path',
  'mapping.outputtokencount' = 'outputTokenCount',
  'mapping.outputimageheight' = 'outputImageHeight',
  'mapping.outputimagewidth' = 'outputImageWidth',
  'mapping.outputimagebucketedstepsize' = 'outputImageBucketedStepSize'
)
LOCATION 's3://records-eu/AWSLogs/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.account.type' = 'enum',
  'projection.account.values' = '111122223333',
  'projection.source_region.type' = 'enum',
  'projection.source_region.values' = 'eu-central-1',
  'projection.date_hour.type' = 'date',
  'projection.date_hour.format' = 'yyyy/MM/dd/HH',
  'projection.date_hour.range' = '2026/01/01/00,NOW',
  'projection.date_hour.interval' = '1',
  'projection.date_hour.interval.unit' = 'HOURS',
  'storage.location.template' = 's3://records-eu/AWSLogs/${account}/BedrockModelInvocationLogs/${source_region}/${date_hour}/'
);

-- One row for each invocation, under plain names, with what AWS has no field for (the key `invlog`: host,
-- outcome, latency, caller, ...). It is NULL in AWS's own records.
CREATE OR REPLACE VIEW bedrock_invocations AS
SELECT
  date_hour,
  account,
  source_region,
  from_iso8601_timestamp("timestamp") AS invoked_at,
  json_extract_scalar(invlog, '$.host') AS host,
  operation,
  modelid AS model_id,
  requestid AS request_id,
  identity.arn AS identity_arn,
  errorcode AS error_code,
  -- An error within a stream has a code and status 200; a 502 or a cut call has no code.
  errorcode IS NOT NULL OR coalesce(json_extract_scalar(invlog, '$.outcome') <> 'complete', false)
    OR coalesce(CAST(json_extract_scalar(invlog, '$.status') AS bigint) >= 400, false) AS failed,
  inferenceregion AS inference_region,
  requestmetadata AS request_metadata,
  input.inputtokencount AS input_tokens,
  input.cachereadinputtokencount AS cache_read_tokens,
  input.cachewriteinputtokencount AS cache_write_tokens,
  output.outputtokencount AS output_tokens,
  input.inputbodyjson AS input_body,
  input.inputbodys3path AS input_body_s3_path,
  output.outputbodyjson AS output_body,
  output.outputbodys3path AS output_body_s3_path,
  CAST(json_extract_scalar(invlog, '$.id') AS bigint) AS record_id,
  json_extract_scalar(invlog, '$.outcome') AS outcome,
  json_extract_scalar(invlog, '$.scope') AS scope,
  json_extract_scalar(invlog, '$.decision') AS decision,
  json_extract_scalar(invlog, '$.profile') AS profile,
  CAST(json_extract_scalar(invlog, '$.latencyMs') AS double) AS latency_ms,
  CAST(json_extract_scalar(invlog, '$.firstByteMs') AS double) AS first_byte_ms,
  json_extract_scalar(invlog, '$.caller.user') AS caller,
  invlog
FROM bedrock_invocation_logs
WHERE schematype = 'ModelInvocationLog'
  AND NOT regexp_like("$path", '/[0-9]{2}/data/[^/]+$');

-- Calls and tokens for each host, model and day of a month.
SELECT
  host,
  model_id,
  date(invoked_at) AS day,
  count(*) AS calls,
  count_if(failed) AS errors,
  sum(input_tokens) AS input_tokens,
  sum(output_tokens) AS output_tokens
FROM bedrock_invocations
WHERE date_hour BETWEEN '2026/09/01/00' AND '2026/09/30/23'
GROUP BY host, model_id, date(invoked_at)
ORDER BY host, model_id, day;
