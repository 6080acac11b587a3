"""The numbers of KMIP 1.0 to 2.1 by the names that XML and JSON have for them, from the tables of the specifications (KMIP 1.4, 9.1.3; 2.1, 11 and 12.2):
tags, values of enumerations, bits of masks. It is not the server's own table, so that one does not prove the other."""

TAGS = {
    "ActivationDate": 0x420001, "ApplicationData": 0x420002, "ApplicationNamespace": 0x420003, "ApplicationSpecificInformation": 0x420004,
    "ArchiveDate": 0x420005, "AsynchronousCorrelationValue": 0x420006, "AsynchronousIndicator": 0x420007, "Attribute": 0x420008, "AttributeIndex":
    0x420009, "AttributeName": 0x42000A, "AttributeValue": 0x42000B, "Authentication": 0x42000C, "BatchCount": 0x42000D,
    "BatchErrorContinuationOption": 0x42000E, "BatchItem": 0x42000F, "BatchOrderOption": 0x420010, "BlockCipherMode": 0x420011,
    "CancellationResult": 0x420012, "Certificate": 0x420013, "CertificateIdentifier": 0x420014, "CertificateIssuer": 0x420015,
    "CertificateIssuerAlternativeName": 0x420016, "CertificateIssuerDistinguishedName": 0x420017, "CertificateRequest": 0x420018,
    "CertificateRequestType": 0x420019, "CertificateSubject": 0x42001A, "CertificateSubjectAlternativeName": 0x42001B,
    "CertificateSubjectDistinguishedName": 0x42001C, "CertificateType": 0x42001D, "CertificateValue": 0x42001E, "CommonTemplateAttribute": 0x42001F,
    "CompromiseDate": 0x420020, "CompromiseOccurrenceDate": 0x420021, "ContactInformation": 0x420022, "Credential": 0x420023, "CredentialType":
    0x420024, "CredentialValue": 0x420025, "CriticalityIndicator": 0x420026, "CRTCoefficient": 0x420027, "CryptographicAlgorithm": 0x420028,
    "CryptographicDomainParameters": 0x420029, "CryptographicLength": 0x42002A, "CryptographicParameters": 0x42002B, "CryptographicUsageMask":
    0x42002C, "CustomAttribute": 0x42002D, "D": 0x42002E, "DeactivationDate": 0x42002F, "DerivationData": 0x420030, "DerivationMethod": 0x420031,
    "DerivationParameters": 0x420032, "DestroyDate": 0x420033, "Digest": 0x420034, "DigestValue": 0x420035, "EncryptionKeyInformation": 0x420036,
    "G": 0x420037, "HashingAlgorithm": 0x420038, "InitialDate": 0x420039, "InitializationVector": 0x42003A, "Issuer": 0x42003B, "IterationCount":
    0x42003C, "IVCounterNonce": 0x42003D, "J": 0x42003E, "Key": 0x42003F, "KeyBlock": 0x420040, "KeyCompressionType": 0x420041, "KeyFormatType":
    0x420042, "KeyMaterial": 0x420043, "KeyPartIdentifier": 0x420044, "KeyValue": 0x420045, "KeyWrappingData": 0x420046, "KeyWrappingSpecification":
    0x420047, "LastChangeDate": 0x420048, "LeaseTime": 0x420049, "Link": 0x42004A, "LinkType": 0x42004B, "LinkedObjectIdentifier": 0x42004C,
    "MACSignature": 0x42004D, "MACSignatureKeyInformation": 0x42004E, "MaximumItems": 0x42004F, "MaximumResponseSize": 0x420050, "MessageExtension":
    0x420051, "Modulus": 0x420052, "Name": 0x420053, "NameType": 0x420054, "NameValue": 0x420055, "ObjectGroup": 0x420056, "ObjectType": 0x420057,
    "Offset": 0x420058, "OpaqueDataType": 0x420059, "OpaqueDataValue": 0x42005A, "OpaqueObject": 0x42005B, "Operation": 0x42005C,
    "OperationPolicyName": 0x42005D, "P": 0x42005E, "PaddingMethod": 0x42005F, "PrimeExponentP": 0x420060, "PrimeExponentQ": 0x420061,
    "PrimeFieldSize": 0x420062, "PrivateExponent": 0x420063, "PrivateKey": 0x420064, "PrivateKeyTemplateAttribute": 0x420065,
    "PrivateKeyUniqueIdentifier": 0x420066, "ProcessStartDate": 0x420067, "ProtectStopDate": 0x420068, "ProtocolVersion": 0x420069,
    "ProtocolVersionMajor": 0x42006A, "ProtocolVersionMinor": 0x42006B, "PublicExponent": 0x42006C, "PublicKey": 0x42006D,
    "PublicKeyTemplateAttribute": 0x42006E, "PublicKeyUniqueIdentifier": 0x42006F, "PutFunction": 0x420070, "Q": 0x420071, "QString": 0x420072,
    "Qlength": 0x420073, "QueryFunction": 0x420074, "RecommendedCurve": 0x420075, "ReplacedUniqueIdentifier": 0x420076, "RequestHeader": 0x420077,
    "RequestMessage": 0x420078, "RequestPayload": 0x420079, "ResponseHeader": 0x42007A, "ResponseMessage": 0x42007B, "ResponsePayload": 0x42007C,
    "ResultMessage": 0x42007D, "ResultReason": 0x42007E, "ResultStatus": 0x42007F, "RevocationMessage": 0x420080, "RevocationReason": 0x420081,
    "RevocationReasonCode": 0x420082, "KeyRoleType": 0x420083, "Salt": 0x420084, "SecretData": 0x420085, "SecretDataType": 0x420086, "SerialNumber":
    0x420087, "ServerInformation": 0x420088, "SplitKey": 0x420089, "SplitKeyMethod": 0x42008A, "SplitKeyParts": 0x42008B, "SplitKeyThreshold":
    0x42008C, "State": 0x42008D, "StorageStatusMask": 0x42008E, "SymmetricKey": 0x42008F, "Template": 0x420090, "TemplateAttribute": 0x420091,
    "TimeStamp": 0x420092, "UniqueBatchItemID": 0x420093, "UniqueIdentifier": 0x420094, "UsageLimits": 0x420095, "UsageLimitsCount": 0x420096,
    "UsageLimitsTotal": 0x420097, "UsageLimitsUnit": 0x420098, "Username": 0x420099, "ValidityDate": 0x42009A, "ValidityIndicator": 0x42009B,
    "VendorExtension": 0x42009C, "VendorIdentification": 0x42009D, "WrappingMethod": 0x42009E, "X": 0x42009F, "Y": 0x4200A0, "Password": 0x4200A1,
    "DeviceIdentifier": 0x4200A2, "EncodingOption": 0x4200A3, "ExtensionInformation": 0x4200A4, "ExtensionName": 0x4200A5, "ExtensionTag": 0x4200A6,
    "ExtensionType": 0x4200A7, "Fresh": 0x4200A8, "MachineIdentifier": 0x4200A9, "MediaIdentifier": 0x4200AA, "NetworkIdentifier": 0x4200AB,
    "ObjectGroupMember": 0x4200AC, "CertificateLength": 0x4200AD, "DigitalSignatureAlgorithm": 0x4200AE, "CertificateSerialNumber": 0x4200AF,
    "DeviceSerialNumber": 0x4200B0, "IssuerAlternativeName": 0x4200B1, "IssuerDistinguishedName": 0x4200B2, "SubjectAlternativeName": 0x4200B3,
    "SubjectDistinguishedName": 0x4200B4, "X_509CertificateIdentifier": 0x4200B5, "X_509CertificateIssuer": 0x4200B6, "X_509CertificateSubject":
    0x4200B7, "KeyValueLocation": 0x4200B8, "KeyValueLocationValue": 0x4200B9, "KeyValueLocationType": 0x4200BA, "KeyValuePresent": 0x4200BB,
    "OriginalCreationDate": 0x4200BC, "PGPKey": 0x4200BD, "PGPKeyVersion": 0x4200BE, "AlternativeName": 0x4200BF, "AlternativeNameValue": 0x4200C0,
    "AlternativeNameType": 0x4200C1, "Data": 0x4200C2, "SignatureData": 0x4200C3, "DataLength": 0x4200C4, "RandomIV": 0x4200C5, "MACData": 0x4200C6,
    "AttestationType": 0x4200C7, "Nonce": 0x4200C8, "NonceID": 0x4200C9, "NonceValue": 0x4200CA, "AttestationMeasurement": 0x4200CB,
    "AttestationAssertion": 0x4200CC, "IVLength": 0x4200CD, "TagLength": 0x4200CE, "FixedFieldLength": 0x4200CF, "CounterLength": 0x4200D0,
    "InitialCounterValue": 0x4200D1, "InvocationFieldLength": 0x4200D2, "AttestationCapableIndicator": 0x4200D3, "OffsetItems": 0x4200D4,
    "LocatedItems": 0x4200D5, "CorrelationValue": 0x4200D6, "InitIndicator": 0x4200D7, "FinalIndicator": 0x4200D8, "RNGParameters": 0x4200D9,
    "RNGAlgorithm": 0x4200DA, "DRBGAlgorithm": 0x4200DB, "FIPS186Variation": 0x4200DC, "PredictionResistance": 0x4200DD, "RandomNumberGenerator":
    0x4200DE, "ValidationInformation": 0x4200DF, "ValidationAuthorityType": 0x4200E0, "ValidationAuthorityCountry": 0x4200E1,
    "ValidationAuthorityURI": 0x4200E2, "ValidationVersionMajor": 0x4200E3, "ValidationVersionMinor": 0x4200E4, "ValidationType": 0x4200E5,
    "ValidationLevel": 0x4200E6, "ValidationCertificateIdentifier": 0x4200E7, "ValidationCertificateURI": 0x4200E8, "ValidationVendorURI": 0x4200E9,
    "ValidationProfile": 0x4200EA, "ProfileInformation": 0x4200EB, "ProfileName": 0x4200EC, "ServerURI": 0x4200ED, "ServerPort": 0x4200EE,
    "StreamingCapability": 0x4200EF, "AsynchronousCapability": 0x4200F0, "AttestationCapability": 0x4200F1, "UnwrapMode": 0x4200F2, "DestroyAction":
    0x4200F3, "ShreddingAlgorithm": 0x4200F4, "RNGMode": 0x4200F5, "ClientRegistrationMethod": 0x4200F6, "CapabilityInformation": 0x4200F7,
    "KeyWrapType": 0x4200F8, "BatchUndoCapability": 0x4200F9, "BatchContinueCapability": 0x4200FA, "PKCS_12FriendlyName": 0x4200FB, "Description":
    0x4200FC, "Comment": 0x4200FD, "AuthenticatedEncryptionAdditionalData": 0x4200FE, "AuthenticatedEncryptionTag": 0x4200FF, "SaltLength":
    0x420100, "MaskGenerator": 0x420101, "MaskGeneratorHashingAlgorithm": 0x420102, "PSource": 0x420103, "TrailerField": 0x420104,
    "ClientCorrelationValue": 0x420105, "ServerCorrelationValue": 0x420106, "DigestedData": 0x420107, "CertificateSubjectCN": 0x420108,
    "CertificateSubjectO": 0x420109, "CertificateSubjectOU": 0x42010A, "CertificateSubjectEmail": 0x42010B, "CertificateSubjectC": 0x42010C,
    "CertificateSubjectST": 0x42010D, "CertificateSubjectL": 0x42010E, "CertificateSubjectUID": 0x42010F, "CertificateSubjectSerialNumber":
    0x420110, "CertificateSubjectTitle": 0x420111, "CertificateSubjectDC": 0x420112, "CertificateSubjectDNQualifier": 0x420113,
    "CertificateIssuerCN": 0x420114, "CertificateIssuerO": 0x420115, "CertificateIssuerOU": 0x420116, "CertificateIssuerEmail": 0x420117,
    "CertificateIssuerC": 0x420118, "CertificateIssuerST": 0x420119, "CertificateIssuerL": 0x42011A, "CertificateIssuerUID": 0x42011B,
    "CertificateIssuerSerialNumber": 0x42011C, "CertificateIssuerTitle": 0x42011D, "CertificateIssuerDC": 0x42011E, "CertificateIssuerDNQualifier":
    0x42011F, "Sensitive": 0x420120, "AlwaysSensitive": 0x420121, "Extractable": 0x420122, "NeverExtractable": 0x420123, "ReplaceExisting":
    0x420124, "Attributes": 0x420125, "CommonAttributes": 0x420126, "PrivateKeyAttributes": 0x420127, "PublicKeyAttributes": 0x420128,
    "ExtensionEnumeration": 0x420129, "ExtensionAttribute": 0x42012A, "ExtensionParentStructureTag": 0x42012B, "ExtensionDescription": 0x42012C,
    "ServerName": 0x42012D, "ServerSerialNumber": 0x42012E, "ServerVersion": 0x42012F, "ServerLoad": 0x420130, "ProductName": 0x420131,
    "BuildLevel": 0x420132, "BuildDate": 0x420133, "ClusterInfo": 0x420134, "AlternateFailoverEndpoints": 0x420135, "ShortUniqueIdentifier":
    0x420136, "Tag": 0x420138, "CertificateRequestUniqueIdentifier": 0x420139, "NISTKeyType": 0x42013A, "AttributeReference": 0x42013B,
    "CurrentAttribute": 0x42013C, "NewAttribute": 0x42013D, "CertificateRequestValue": 0x420140, "LogMessage": 0x420141, "ProfileVersion": 0x420142,
    "ProfileVersionMajor": 0x420143, "ProfileVersionMinor": 0x420144, "ProtectionLevel": 0x420145, "ProtectionPeriod": 0x420146, "QuantumSafe":
    0x420147, "QuantumSafeCapability": 0x420148, "Ticket": 0x420149, "TicketType": 0x42014A, "TicketValue": 0x42014B, "RequestCount": 0x42014C,
    "Rights": 0x42014D, "Objects": 0x42014E, "Operations": 0x42014F, "Right": 0x420150, "EndpointRole": 0x420151, "DefaultsInformation": 0x420152,
    "ObjectDefaults": 0x420153, "Ephemeral": 0x420154, "ServerHashedPassword": 0x420155, "OneTimePassword": 0x420156, "HashedPassword": 0x420157,
    "AdjustmentType": 0x420158, "PKCS_11Interface": 0x420159, "PKCS_11Function": 0x42015A, "PKCS_11InputParameters": 0x42015B,
    "PKCS_11OutputParameters": 0x42015C, "PKCS_11ReturnCode": 0x42015D, "ProtectionStorageMask": 0x42015E, "ProtectionStorageMasks": 0x42015F,
    "InteropFunction": 0x420160, "InteropIdentifier": 0x420161, "AdjustmentValue": 0x420162, "CommonProtectionStorageMasks": 0x420163,
    "PrivateProtectionStorageMasks": 0x420164, "PublicProtectionStorageMasks": 0x420165, "ObjectGroups": 0x420166, "ObjectTypes": 0x420167,
    "Constraints": 0x420168, "Constraint": 0x420169, "RotateInterval": 0x42016A, "RotateAutomatic": 0x42016B, "RotateOffset": 0x42016C,
    "RotateDate": 0x42016D, "RotateGeneration": 0x42016E, "RotateName": 0x42016F, "RotateNameValue": 0x420170, "RotateNameType": 0x420171,
    "RotateLatest": 0x420172, "AsynchronousRequest": 0x420173, "SubmissionDate": 0x420174, "ProcessingStage": 0x420175,
    "AsynchronousCorrelationValues": 0x420176}

ENUMS = {
    "AdjustmentType": {"Increment": 0x1, "Decrement": 0x2, "Negate": 0x3},
    "AlternativeNameType": {"UninterpretedTextString": 0x1, "URI": 0x2, "ObjectSerialNumber": 0x3, "EmailAddress": 0x4, "DNSName": 0x5,
        "X_500DistinguishedName": 0x6, "IPAddress": 0x7},
    "AsynchronousIndicator": {"Mandatory": 0x1, "Optional": 0x2, "Prohibited": 0x3},
    "AttestationType": {"TPMQuote": 0x1, "TCGIntegrityReport": 0x2, "SAMLAssertion": 0x3},
    "BatchErrorContinuationOption": {"Continue": 0x1, "Stop": 0x2, "Undo": 0x3},
    "BlockCipherMode": {"CBC": 0x1, "ECB": 0x2, "PCBC": 0x3, "CFB": 0x4, "OFB": 0x5, "CTR": 0x6, "CMAC": 0x7, "CCM": 0x8, "GCM": 0x9, "CBC_MAC":
        0xA, "XTS": 0xB, "AESKeyWrapPadding": 0xC, "NISTKeyWrap": 0xD, "X9_102AESKW": 0xE, "X9_102TDKW": 0xF, "X9_102AKW1": 0x10, "X9_102AKW2":
        0x11, "AEAD": 0x12},
    "CancellationResult": {"Canceled": 0x1, "UnableToCancel": 0x2, "Completed": 0x3, "Failed": 0x4, "Unavailable": 0x5},
    "CertificateRequestType": {"CRMF": 0x1, "PKCS_10": 0x2, "PEM": 0x3, "PGP": 0x4},
    "CertificateType": {"X_509": 0x1, "PGP": 0x2},
    "ClientRegistrationMethod": {"Unspecified": 0x1, "ServerPreGenerated": 0x2, "ServerOnDemand": 0x3, "ClientGenerated": 0x4, "ClientRegistered":
        0x5},
    "CredentialType": {"UsernameAndPassword": 0x1, "Device": 0x2, "Attestation": 0x3, "OneTimePassword": 0x4, "HashedPassword": 0x5, "Ticket": 0x6},
    "CryptographicAlgorithm": {"DES": 0x1, "DES3": 0x2, "AES": 0x3, "RSA": 0x4, "DSA": 0x5, "ECDSA": 0x6, "HMAC_SHA1": 0x7, "HMAC_SHA224": 0x8,
        "HMAC_SHA256": 0x9, "HMAC_SHA384": 0xA, "HMAC_SHA512": 0xB, "HMAC_MD5": 0xC, "DH": 0xD, "ECDH": 0xE, "ECMQV": 0xF, "Blowfish": 0x10,
        "Camellia": 0x11, "CAST5": 0x12, "IDEA": 0x13, "MARS": 0x14, "RC2": 0x15, "RC4": 0x16, "RC5": 0x17, "SKIPJACK": 0x18, "Twofish": 0x19, "EC":
        0x1A, "OneTimePad": 0x1B, "ChaCha20": 0x1C, "Poly1305": 0x1D, "ChaCha20Poly1305": 0x1E, "SHA3_224": 0x1F, "SHA3_256": 0x20, "SHA3_384":
        0x21, "SHA3_512": 0x22, "HMAC_SHA3_224": 0x23, "HMAC_SHA3_256": 0x24, "HMAC_SHA3_384": 0x25, "HMAC_SHA3_512": 0x26, "SHAKE_128": 0x27,
        "SHAKE_256": 0x28, "ARIA": 0x29, "SEED": 0x2A, "SM2": 0x2B, "SM3": 0x2C, "SM4": 0x2D, "GOSTR34_10_2012": 0x2E, "GOSTR34_11_2012": 0x2F,
        "GOSTR34_13_2015": 0x30, "GOST28147_89": 0x31, "XMSS": 0x32, "SPHINCS_256": 0x33, "McEliece": 0x34, "McEliece_6960119": 0x35,
        "McEliece_8192128": 0x36, "Ed25519": 0x37, "Ed448": 0x38},
    "DRBGAlgorithm": {"Unspecified": 0x1, "Dual_EC": 0x2, "Hash": 0x3, "HMAC": 0x4, "CTR": 0x5},
    "Data": {"Decrypt": 0x1, "Encrypt": 0x2, "Hash": 0x3, "MACMACData": 0x4, "RNGRetrieve": 0x5, "SignSignatureData": 0x6, "SignatureVerify": 0x7},
    "DerivationMethod": {"PBKDF2": 0x1, "HASH": 0x2, "HMAC": 0x3, "ENCRYPT": 0x4, "NIST800_108_C": 0x5, "NIST800_108_F": 0x6, "NIST800_108_DPI":
        0x7, "AsymmetricKey": 0x8, "AWSSignatureVersion4": 0x9, "HKDF": 0xA},
    "DestroyAction": {"Unspecified": 0x1, "KeyMaterialDeleted": 0x2, "KeyMaterialShredded": 0x3, "MetaDataDeleted": 0x4, "MetaDataShredded": 0x5,
        "Deleted": 0x6, "Shredded": 0x7},
    "DigitalSignatureAlgorithm": {"MD2WithRSAEncryption": 0x1, "MD2WithRSAEncryptionPKCS_1V1_5": 0x1, "MD5WithRSAEncryption": 0x2,
        "MD5WithRSAEncryptionPKCS_1V1_5": 0x2, "SHA_1WithRSAEncryption": 0x3, "SHA_1WithRSAEncryptionPKCS_1V1_5": 0x3, "SHA_224WithRSAEncryption":
        0x4, "SHA_224WithRSAEncryptionPKCS_1V1_5": 0x4, "SHA_256WithRSAEncryption": 0x5, "SHA_256WithRSAEncryptionPKCS_1V1_5": 0x5,
        "SHA_384WithRSAEncryption": 0x6, "SHA_384WithRSAEncryptionPKCS_1V1_5": 0x6, "SHA_512WithRSAEncryption": 0x7,
        "SHA_512WithRSAEncryptionPKCS_1V1_5": 0x7, "RSASSA_PSS": 0x8, "RSASSA_PSSPKCS_1V2_1": 0x8, "DSAWithSHA_1": 0x9, "DSAWithSHA224": 0xA,
        "DSAWithSHA256": 0xB, "ECDSAWithSHA_1": 0xC, "ECDSAWithSHA224": 0xD, "ECDSAWithSHA256": 0xE, "ECDSAWithSHA384": 0xF, "ECDSAWithSHA512":
        0x10, "SHA3_256WithRSAEncryption": 0x11, "SHA3_384WithRSAEncryption": 0x12, "SHA3_512WithRSAEncryption": 0x13},
    "EncodingOption": {"NoEncoding": 0x1, "TTLVEncoding": 0x2},
    "EndpointRole": {"Client": 0x1, "Server": 0x2},
    "FIPS186Variation": {"Unspecified": 0x1, "GPXOriginal": 0x2, "GPXChangeNotice": 0x3, "XOriginal": 0x4, "XChangeNotice": 0x5, "KOriginal": 0x6,
        "KChangeNotice": 0x7},
    "HashingAlgorithm": {"MD2": 0x1, "MD4": 0x2, "MD5": 0x3, "SHA_1": 0x4, "SHA_224": 0x5, "SHA_256": 0x6, "SHA_384": 0x7, "SHA_512": 0x8,
        "RIPEMD_160": 0x9, "Tiger": 0xA, "Whirlpool": 0xB, "SHA_512_224": 0xC, "SHA_512_256": 0xD, "SHA3_224": 0xE, "SHA_3_224": 0xE, "SHA3_256":
        0xF, "SHA_3_256": 0xF, "SHA3_384": 0x10, "SHA_3_384": 0x10, "SHA3_512": 0x11, "SHA_3_512": 0x11},
    "InteropFunction": {"Begin": 0x1, "End": 0x2, "Reset": 0x3},
    "ItemType": {"Structure": 0x1, "Integer": 0x2, "LongInteger": 0x3, "BigInteger": 0x4, "Enumeration": 0x5, "Boolean": 0x6, "TextString": 0x7,
        "ByteString": 0x8, "DateTime": 0x9, "Interval": 0xA, "DateTimeExtended": 0xB},
    "KeyCompressionType": {"ECPublicKeyTypeUncompressed": 0x1, "ECPublicKeyTypeX9_62CompressedPrime": 0x2, "ECPublicKeyTypeX9_62CompressedChar2":
        0x3, "ECPublicKeyTypeX9_62Hybrid": 0x4},
    "KeyFormatType": {"Raw": 0x1, "Opaque": 0x2, "PKCS_1": 0x3, "PKCS_8": 0x4, "X_509": 0x5, "ECPrivateKey": 0x6, "TransparentSymmetricKey": 0x7,
        "TransparentDSAPrivateKey": 0x8, "TransparentDSAPublicKey": 0x9, "TransparentRSAPrivateKey": 0xA, "TransparentRSAPublicKey": 0xB,
        "TransparentDHPrivateKey": 0xC, "TransparentDHPublicKey": 0xD, "TransparentECDSAPrivateKey": 0xE, "TransparentECDSAPublicKey": 0xF,
        "TransparentECDHPrivateKey": 0x10, "TransparentECDHPublicKey": 0x11, "TransparentECMQVPrivateKey": 0x12, "TransparentECMQVPublicKey": 0x13,
        "TransparentECPrivateKey": 0x14, "TransparentECPublicKey": 0x15, "PKCS_12": 0x16, "PKCS_10": 0x17},
    "KeyRoleType": {"BDK": 0x1, "CVK": 0x2, "DEK": 0x3, "MKAC": 0x4, "MKSMC": 0x5, "MKSMI": 0x6, "MKDAC": 0x7, "MKDN": 0x8, "MKCP": 0x9, "MKOTH":
        0xA, "KEK": 0xB, "MAC16609": 0xC, "MAC97971": 0xD, "MAC97972": 0xE, "MAC97973": 0xF, "MAC97974": 0x10, "MAC97975": 0x11, "ZPK": 0x12,
        "PVKIBM": 0x13, "PVKPVV": 0x14, "PVKOTH": 0x15, "DUKPT": 0x16, "IV": 0x17, "TRKBK": 0x18},
    "KeyValueLocationType": {"UninterpretedTextString": 0x1, "URI": 0x2},
    "KeyWrapType": {"NotWrapped": 0x1, "AsRegistered": 0x2},
    "LinkType": {"CertificateLink": 0x101, "PublicKeyLink": 0x102, "PrivateKeyLink": 0x103, "DerivationBaseObjectLink": 0x104, "DerivedKeyLink":
        0x105, "ReplacementObjectLink": 0x106, "ReplacedObjectLink": 0x107, "ParentLink": 0x108, "ChildLink": 0x109, "PreviousLink": 0x10A,
        "NextLink": 0x10B, "PKCS_12CertificateLink": 0x10C, "PKCS_12PasswordLink": 0x10D, "WrappingKeyLink": 0x10E},
    "MaskGenerator": {"MFG1": 0x1, "MGF1": 0x1},
    "NISTKeyType": {"PrivateSignatureKey": 0x1, "PublicSignatureVerificationKey": 0x2, "SymmetricAuthenticationKey": 0x3,
        "PrivateAuthenticationKey": 0x4, "PublicAuthenticationKey": 0x5, "SymmetricDataEncryptionKey": 0x6, "SymmetricKeyWrappingKey": 0x7,
        "SymmetricRandomNumberGenerationKey": 0x8, "SymmetricMasterKey": 0x9, "PrivateKeyTransportKey": 0xA, "PublicKeyTransportKey": 0xB,
        "SymmetricKeyAgreementKey": 0xC, "PrivateStaticKeyAgreementKey": 0xD, "PublicStaticKeyAgreementKey": 0xE, "PrivateEphemeralKeyAgreementKey":
        0xF, "PublicEphemeralKeyAgreementKey": 0x10, "SymmetricAuthorizationKey": 0x11, "PrivateAuthorizationKey": 0x12, "PublicAuthorizationKey":
        0x13},
    "NameType": {"UninterpretedTextString": 0x1, "URI": 0x2},
    "ObjectGroupMember": {"GroupMemberFresh": 0x1, "GroupMemberDefault": 0x2},
    "ObjectType": {"Certificate": 0x1, "SymmetricKey": 0x2, "PublicKey": 0x3, "PrivateKey": 0x4, "SplitKey": 0x5, "Template": 0x6, "SecretData":
        0x7, "OpaqueObject": 0x8, "PGPKey": 0x9, "CertificateRequest": 0xA},
    "OpaqueDataType": {},
    "Operation": {"Create": 0x1, "CreateKeyPair": 0x2, "Register": 0x3, "ReKey": 0x4, "DeriveKey": 0x5, "Certify": 0x6, "ReCertify": 0x7, "Locate":
        0x8, "Check": 0x9, "Get": 0xA, "GetAttributes": 0xB, "GetAttributeList": 0xC, "AddAttribute": 0xD, "ModifyAttribute": 0xE,
        "DeleteAttribute": 0xF, "ObtainLease": 0x10, "GetUsageAllocation": 0x11, "Activate": 0x12, "Revoke": 0x13, "Destroy": 0x14, "Archive": 0x15,
        "Recover": 0x16, "Validate": 0x17, "Query": 0x18, "Cancel": 0x19, "Poll": 0x1A, "Notify": 0x1B, "Put": 0x1C, "ReKeyKeyPair": 0x1D,
        "DiscoverVersions": 0x1E, "Encrypt": 0x1F, "Decrypt": 0x20, "Sign": 0x21, "SignatureVerify": 0x22, "MAC": 0x23, "MACVerify": 0x24,
        "RNGRetrieve": 0x25, "RNGSeed": 0x26, "Hash": 0x27, "CreateSplitKey": 0x28, "JoinSplitKey": 0x29, "Import": 0x2A, "Export": 0x2B, "Log":
        0x2C, "Login": 0x2D, "Logout": 0x2E, "DelegatedLogin": 0x2F, "AdjustAttribute": 0x30, "SetAttribute": 0x31, "SetEndpointRole": 0x32,
        "PKCS_11": 0x33, "Interop": 0x34, "ReProvision": 0x35, "SetDefaults": 0x36, "SetConstraints": 0x37, "GetConstraints": 0x38,
        "QueryAsynchronousRequests": 0x39, "Process": 0x3A, "Ping": 0x3B},
    "PKCS_11Function": {"C_Initialize": 0x1, "C_Finalize": 0x2, "C_GetInfo": 0x3, "C_GetFunctionList": 0x4, "C_GetSlotList": 0x5, "C_GetSlotInfo":
        0x6, "C_GetTokenInfo": 0x7, "C_GetMechanismList": 0x8, "C_GetMechanismInfo": 0x9, "C_InitToken": 0xA, "C_InitPIN": 0xB, "C_SetPIN": 0xC,
        "C_OpenSession": 0xD, "C_CloseSession": 0xE, "C_CloseAllSessions": 0xF, "C_GetSessionInfo": 0x10, "C_GetOperationState": 0x11,
        "C_SetOperationState": 0x12, "C_Login": 0x13, "C_Logout": 0x14, "C_CreateObject": 0x15, "C_CopyObject": 0x16, "C_DestroyObject": 0x17,
        "C_GetObjectSize": 0x18, "C_GetAttributeValue": 0x19, "C_SetAttributeValue": 0x1A, "C_FindObjectsInit": 0x1B, "C_FindObjects": 0x1C,
        "C_FindObjectsFinal": 0x1D, "C_EncryptInit": 0x1E, "C_Encrypt": 0x1F, "C_EncryptUpdate": 0x20, "C_EncryptFinal": 0x21, "C_DecryptInit":
        0x22, "C_Decrypt": 0x23, "C_DecryptUpdate": 0x24, "C_DecryptFinal": 0x25, "C_DigestInit": 0x26, "C_Digest": 0x27, "C_DigestUpdate": 0x28,
        "C_DigestKey": 0x29, "C_DigestFinal": 0x2A, "C_SignInit": 0x2B, "C_Sign": 0x2C, "C_SignUpdate": 0x2D, "C_SignFinal": 0x2E,
        "C_SignRecoverInit": 0x2F, "C_SignRecover": 0x30, "C_VerifyInit": 0x31, "C_Verify": 0x32, "C_VerifyUpdate": 0x33, "C_VerifyFinal": 0x34,
        "C_VerifyRecoverInit": 0x35, "C_VerifyRecover": 0x36, "C_DigestEncryptUpdate": 0x37, "C_DecryptDigestUpdate": 0x38, "C_SignEncryptUpdate":
        0x39, "C_DecryptVerifyUpdate": 0x3A, "C_GenerateKey": 0x3B, "C_GenerateKeyPair": 0x3C, "C_WrapKey": 0x3D, "C_UnwrapKey": 0x3E,
        "C_DeriveKey": 0x3F, "C_SeedRandom": 0x40, "C_GenerateRandom": 0x41, "C_GetFunctionStatus": 0x42, "C_CancelFunction": 0x43,
        "C_WaitForSlotEvent": 0x44},
    "PKCS_11ReturnCode": {"CKR_OK": 0x0, "OK": 0x0},
    "PaddingMethod": {"None": 0x1, "OAEP": 0x2, "PKCS5": 0x3, "SSL3": 0x4, "Zeros": 0x5, "ANSIX9_23": 0x6, "ISO10126": 0x7, "PKCS1V1_5": 0x8,
        "X9_31": 0x9, "PSS": 0xA},
    "ProcessingStage": {"Submitted": 0x1, "InProcess": 0x2, "Completed": 0x3},
    "ProfileName": {"BaselineServerBasicKMIPV1_2": 0x1, "BaselineServerTLSV1_2KMIPV1_2": 0x2, "BaselineClientBasicKMIPV1_2": 0x3,
        "BaselineClientTLSV1_2KMIPV1_2": 0x4, "CompleteServerBasicKMIPV1_2": 0x5, "CompleteServerTLSV1_2KMIPV1_2": 0x6, "TapeLibraryClientKMIPV1_0":
        0x7, "TapeLibraryClientKMIPV1_1": 0x8, "TapeLibraryClientKMIPV1_2": 0x9, "TapeLibraryServerKMIPV1_0": 0xA, "TapeLibraryServerKMIPV1_1": 0xB,
        "TapeLibraryServerKMIPV1_2": 0xC, "SymmetricKeyLifecycleClientKMIPV1_0": 0xD, "SymmetricKeyLifecycleClientKMIPV1_1": 0xE,
        "SymmetricKeyLifecycleClientKMIPV1_2": 0xF, "SymmetricKeyLifecycleServerKMIPV1_0": 0x10, "SymmetricKeyLifecycleServerKMIPV1_1": 0x11,
        "SymmetricKeyLifecycleServerKMIPV1_2": 0x12, "AsymmetricKeyLifecycleClientKMIPV1_0": 0x13, "AsymmetricKeyLifecycleClientKMIPV1_1": 0x14,
        "AsymmetricKeyLifecycleClientKMIPV1_2": 0x15, "AsymmetricKeyLifecycleServerKMIPV1_0": 0x16, "AsymmetricKeyLifecycleServerKMIPV1_1": 0x17,
        "AsymmetricKeyLifecycleServerKMIPV1_2": 0x18, "BasicCryptographicClientKMIPV1_2": 0x19, "BasicCryptographicServerKMIPV1_2": 0x1A,
        "AdvancedCryptographicClientKMIPV1_2": 0x1B, "AdvancedCryptographicServerKMIPV1_2": 0x1C, "RNGCryptographicClientKMIPV1_2": 0x1D,
        "RNGCryptographicServerKMIPV1_2": 0x1E, "BasicSymmetricKeyFoundryClientKMIPV1_0": 0x1F, "IntermediateSymmetricKeyFoundryClientKMIPV1_0":
        0x20, "AdvancedSymmetricKeyFoundryClientKMIPV1_0": 0x21, "BasicSymmetricKeyFoundryClientKMIPV1_1": 0x22,
        "IntermediateSymmetricKeyFoundryClientKMIPV1_1": 0x23, "AdvancedSymmetricKeyFoundryClientKMIPV1_1": 0x24,
        "BasicSymmetricKeyFoundryClientKMIPV1_2": 0x25, "IntermediateSymmetricKeyFoundryClientKMIPV1_2": 0x26,
        "AdvancedSymmetricKeyFoundryClientKMIPV1_2": 0x27, "SymmetricKeyFoundryServerKMIPV1_0": 0x28, "SymmetricKeyFoundryServerKMIPV1_1": 0x29,
        "SymmetricKeyFoundryServerKMIPV1_2": 0x2A, "OpaqueManagedObjectStoreClientKMIPV1_0": 0x2B, "OpaqueManagedObjectStoreClientKMIPV1_1": 0x2C,
        "OpaqueManagedObjectStoreClientKMIPV1_2": 0x2D, "OpaqueManagedObjectStoreServerKMIPV1_0": 0x2E, "OpaqueManagedObjectStoreServerKMIPV1_1":
        0x2F, "OpaqueManagedObjectStoreServerKMIPV1_2": 0x30, "SuiteBMinLOS_128ClientKMIPV1_0": 0x31, "SuiteBMinLOS_128ClientKMIPV1_1": 0x32,
        "SuiteBMinLOS_128ClientKMIPV1_2": 0x33, "SuiteBMinLOS_128ServerKMIPV1_0": 0x34, "SuiteBMinLOS_128ServerKMIPV1_1": 0x35,
        "SuiteBMinLOS_128ServerKMIPV1_2": 0x36, "SuiteBMinLOS_192ClientKMIPV1_0": 0x37, "SuiteBMinLOS_192ClientKMIPV1_1": 0x38,
        "SuiteBMinLOS_192ClientKMIPV1_2": 0x39, "SuiteBMinLOS_192ServerKMIPV1_0": 0x3A, "SuiteBMinLOS_192ServerKMIPV1_1": 0x3B,
        "SuiteBMinLOS_192ServerKMIPV1_2": 0x3C, "StorageArrayWithSelfEncryptingDriveClientKMIPV1_0": 0x3D,
        "StorageArrayWithSelfEncryptingDriveClientKMIPV1_1": 0x3E, "StorageArrayWithSelfEncryptingDriveClientKMIPV1_2": 0x3F,
        "StorageArrayWithSelfEncryptingDriveServerKMIPV1_0": 0x40, "StorageArrayWithSelfEncryptingDriveServerKMIPV1_1": 0x41,
        "StorageArrayWithSelfEncryptingDriveServerKMIPV1_2": 0x42, "HTTPSClientKMIPV1_0": 0x43, "HTTPSClientKMIPV1_1": 0x44, "HTTPSClientKMIPV1_2":
        0x45, "HTTPSServerKMIPV1_0": 0x46, "HTTPSServerKMIPV1_1": 0x47, "HTTPSServerKMIPV1_2": 0x48, "JSONClientKMIPV1_0": 0x49,
        "JSONClientKMIPV1_1": 0x4A, "JSONClientKMIPV1_2": 0x4B, "JSONServerKMIPV1_0": 0x4C, "JSONServerKMIPV1_1": 0x4D, "JSONServerKMIPV1_2": 0x4E,
        "XMLClientKMIPV1_0": 0x4F, "XMLClientKMIPV1_1": 0x50, "XMLClientKMIPV1_2": 0x51, "XMLServerKMIPV1_0": 0x52, "XMLServerKMIPV1_1": 0x53,
        "XMLServerKMIPV1_2": 0x54, "BaselineServerBasicKMIPV1_3": 0x55, "BaselineServerTLSV1_2KMIPV1_3": 0x56, "BaselineClientBasicKMIPV1_3": 0x57,
        "BaselineClientTLSV1_2KMIPV1_3": 0x58, "CompleteServerBasicKMIPV1_3": 0x59, "CompleteServerTLSV1_2KMIPV1_3": 0x5A,
        "TapeLibraryClientKMIPV1_3": 0x5B, "TapeLibraryServerKMIPV1_3": 0x5C, "SymmetricKeyLifecycleClientKMIPV1_3": 0x5D,
        "SymmetricKeyLifecycleServerKMIPV1_3": 0x5E, "AsymmetricKeyLifecycleClientKMIPV1_3": 0x5F, "AsymmetricKeyLifecycleServerKMIPV1_3": 0x60,
        "BasicCryptographicClientKMIPV1_3": 0x61, "BasicCryptographicServerKMIPV1_3": 0x62, "AdvancedCryptographicClientKMIPV1_3": 0x63,
        "AdvancedCryptographicServerKMIPV1_3": 0x64, "RNGCryptographicClientKMIPV1_3": 0x65, "RNGCryptographicServerKMIPV1_3": 0x66,
        "BasicSymmetricKeyFoundryClientKMIPV1_3": 0x67, "IntermediateSymmetricKeyFoundryClientKMIPV1_3": 0x68,
        "AdvancedSymmetricKeyFoundryClientKMIPV1_3": 0x69, "SymmetricKeyFoundryServerKMIPV1_3": 0x6A, "OpaqueManagedObjectStoreClientKMIPV1_3":
        0x6B, "OpaqueManagedObjectStoreServerKMIPV1_3": 0x6C, "SuiteBMinLOS_128ClientKMIPV1_3": 0x6D, "SuiteBMinLOS_128ServerKMIPV1_3": 0x6E,
        "SuiteBMinLOS_192ClientKMIPV1_3": 0x6F, "SuiteBMinLOS_192ServerKMIPV1_3": 0x70, "StorageArrayWithSelfEncryptingDriveClientKMIPV1_3": 0x71,
        "StorageArrayWithSelfEncryptingDriveServerKMIPV1_3": 0x72, "HTTPSClientKMIPV1_3": 0x73, "HTTPSServerKMIPV1_3": 0x74, "JSONClientKMIPV1_3":
        0x75, "JSONServerKMIPV1_3": 0x76, "XMLClientKMIPV1_3": 0x77, "XMLServerKMIPV1_3": 0x78, "BaselineServerBasicKMIPV1_4": 0x79,
        "BaselineServerTLSV1_2KMIPV1_4": 0x7A, "BaselineClientBasicKMIPV1_4": 0x7B, "BaselineClientTLSV1_2KMIPV1_4": 0x7C,
        "CompleteServerBasicKMIPV1_4": 0x7D, "CompleteServerTLSV1_2KMIPV1_4": 0x7E, "TapeLibraryClientKMIPV1_4": 0x7F, "TapeLibraryServerKMIPV1_4":
        0x80, "SymmetricKeyLifecycleClientKMIPV1_4": 0x81, "SymmetricKeyLifecycleServerKMIPV1_4": 0x82, "AsymmetricKeyLifecycleClientKMIPV1_4":
        0x83, "AsymmetricKeyLifecycleServerKMIPV1_4": 0x84, "BasicCryptographicClientKMIPV1_4": 0x85, "BasicCryptographicServerKMIPV1_4": 0x86,
        "AdvancedCryptographicClientKMIPV1_4": 0x87, "AdvancedCryptographicServerKMIPV1_4": 0x88, "RNGCryptographicClientKMIPV1_4": 0x89,
        "RNGCryptographicServerKMIPV1_4": 0x8A, "BasicSymmetricKeyFoundryClientKMIPV1_4": 0x8B, "IntermediateSymmetricKeyFoundryClientKMIPV1_4":
        0x8C, "AdvancedSymmetricKeyFoundryClientKMIPV1_4": 0x8D, "SymmetricKeyFoundryServerKMIPV1_4": 0x8E,
        "OpaqueManagedObjectStoreClientKMIPV1_4": 0x8F, "OpaqueManagedObjectStoreServerKMIPV1_4": 0x90, "SuiteBMinLOS_128ClientKMIPV1_4": 0x91,
        "SuiteBMinLOS_128ServerKMIPV1_4": 0x92, "SuiteBMinLOS_192ClientKMIPV1_4": 0x93, "SuiteBMinLOS_192ServerKMIPV1_4": 0x94,
        "StorageArrayWithSelfEncryptingDriveClientKMIPV1_4": 0x95, "StorageArrayWithSelfEncryptingDriveServerKMIPV1_4": 0x96, "HTTPSClientKMIPV1_4":
        0x97, "HTTPSServerKMIPV1_4": 0x98, "JSONClientKMIPV1_4": 0x99, "JSONServerKMIPV1_4": 0x9A, "XMLClientKMIPV1_4": 0x9B, "XMLServerKMIPV1_4":
        0x9C, "CompleteServerBasic": 0x104, "CompleteServerTLSV1_2": 0x105, "TapeLibraryClient": 0x106, "TapeLibraryServer": 0x107,
        "SymmetricKeyLifecycleClient": 0x108, "SymmetricKeyLifecycleServer": 0x109, "AsymmetricKeyLifecycleClient": 0x10A,
        "AsymmetricKeyLifecycleServer": 0x10B, "BasicCryptographicClient": 0x10C, "BasicCryptographicServer": 0x10D, "AdvancedCryptographicClient":
        0x10E, "AdvancedCryptographicServer": 0x10F, "RNGCryptographicClient": 0x110, "RNGCryptographicServer": 0x111,
        "BasicSymmetricKeyFoundryClient": 0x112, "IntermediateSymmetricKeyFoundryClient": 0x113, "AdvancedSymmetricKeyFoundryClient": 0x114,
        "SymmetricKeyFoundryServer": 0x115, "OpaqueManagedObjectStoreClient": 0x116, "OpaqueManagedObjectStoreServer": 0x117,
        "StorageArrayWithSelfEncryptingDriveClient": 0x11C, "StorageArrayWithSelfEncryptingDriveServer": 0x11D, "HTTPSClient": 0x11E, "HTTPSServer":
        0x11F, "JSONClient": 0x120, "JSONServer": 0x121, "XMLClient": 0x122, "XMLServer": 0x123, "AESXTSClient": 0x124, "AESXTSServer": 0x125,
        "QuantumSafeClient": 0x126, "QuantumSafeServer": 0x127, "PKCS_11Client": 0x128, "PKCS_11Server": 0x129, "BaselineClient": 0x12A,
        "BaselineServer": 0x12B, "CompleteServer": 0x12C},
    "ProtectionLevel": {"High": 0x1, "Low": 0x2},
    "PutFunction": {"New": 0x1, "Replace": 0x2},
    "QueryFunction": {"QueryOperations": 0x1, "QueryObjects": 0x2, "QueryServerInformation": 0x3, "QueryApplicationNamespaces": 0x4,
        "QueryExtensionList": 0x5, "QueryExtensionMap": 0x6, "QueryAttestationTypes": 0x7, "QueryRNGs": 0x8, "QueryValidations": 0x9,
        "QueryProfiles": 0xA, "QueryCapabilities": 0xB, "QueryClientRegistrationMethods": 0xC, "QueryDefaultsInformation": 0xD,
        "QueryStorageProtectionMasks": 0xE},
    "RNGAlgorithm": {"Unspecified": 0x1, "FIPS186_2": 0x2, "DRBG": 0x3, "NRBG": 0x4, "ANSIX9_31": 0x5, "ANSIX9_62": 0x6},
    "RNGMode": {"Unspecified": 0x1, "SharedInstantiation": 0x2, "NonSharedInstantiation": 0x3},
    "RecommendedCurve": {"P_192": 0x1, "K_163": 0x2, "B_163": 0x3, "P_224": 0x4, "K_233": 0x5, "B_233": 0x6, "P_256": 0x7, "K_283": 0x8, "B_283":
        0x9, "P_384": 0xA, "K_409": 0xB, "B_409": 0xC, "P_521": 0xD, "K_571": 0xE, "B_571": 0xF, "SECP112R1": 0x10, "SECP112R2": 0x11, "SECP128R1":
        0x12, "SECP128R2": 0x13, "SECP160K1": 0x14, "SECP160R1": 0x15, "SECP160R2": 0x16, "SECP192K1": 0x17, "SECP224K1": 0x18, "SECP256K1": 0x19,
        "SECT113R1": 0x1A, "SECT113R2": 0x1B, "SECT131R1": 0x1C, "SECT131R2": 0x1D, "SECT163R1": 0x1E, "SECT193R1": 0x1F, "SECT193R2": 0x20,
        "SECT239K1": 0x21, "ANSIX9P192V2": 0x22, "ANSIX9P192V3": 0x23, "ANSIX9P239V1": 0x24, "ANSIX9P239V2": 0x25, "ANSIX9P239V3": 0x26,
        "ANSIX9C2PNB163V1": 0x27, "ANSIX9C2PNB163V2": 0x28, "ANSIX9C2PNB163V3": 0x29, "ANSIX9C2PNB176V1": 0x2A, "ANSIX9C2TNB191V1": 0x2B,
        "ANSIX9C2TNB191V2": 0x2C, "ANSIX9C2TNB191V3": 0x2D, "ANSIX9C2PNB208W1": 0x2E, "ANSIX9C2TNB239V1": 0x2F, "ANSIX9C2TNB239V2": 0x30,
        "ANSIX9C2TNB239V3": 0x31, "ANSIX9C2PNB272W1": 0x32, "ANSIX9C2PNB304W1": 0x33, "ANSIX9C2TNB359V1": 0x34, "ANSIX9C2PNB368W1": 0x35,
        "ANSIX9C2TNB431R1": 0x36, "BRAINPOOLP160R1": 0x37, "BRAINPOOLP160T1": 0x38, "BRAINPOOLP192R1": 0x39, "BRAINPOOLP192T1": 0x3A,
        "BRAINPOOLP224R1": 0x3B, "BRAINPOOLP224T1": 0x3C, "BRAINPOOLP256R1": 0x3D, "BRAINPOOLP256T1": 0x3E, "BRAINPOOLP320R1": 0x3F,
        "BRAINPOOLP320T1": 0x40, "BRAINPOOLP384R1": 0x41, "BRAINPOOLP384T1": 0x42, "BRAINPOOLP512R1": 0x43, "BRAINPOOLP512T1": 0x44, "CURVE25519":
        0x45, "CURVE448": 0x46},
    "ResultReason": {"ItemNotFound": 0x1, "ResponseTooLarge": 0x2, "AuthenticationNotSuccessful": 0x3, "InvalidMessage": 0x4,
        "OperationNotSupported": 0x5, "MissingData": 0x6, "InvalidField": 0x7, "FeatureNotSupported": 0x8, "OperationCanceledByRequester": 0x9,
        "CryptographicFailure": 0xA, "IllegalOperation": 0xB, "PermissionDenied": 0xC, "ObjectArchived": 0xD, "IndexOutOfBounds": 0xE,
        "ApplicationNamespaceNotSupported": 0xF, "KeyFormatTypeNotSupported": 0x10, "KeyCompressionTypeNotSupported": 0x11, "EncodingOptionError":
        0x12, "KeyValueNotPresent": 0x13, "AttestationRequired": 0x14, "AttestationFailed": 0x15, "Sensitive": 0x16, "NotExtractable": 0x17,
        "ObjectAlreadyExists": 0x18, "InvalidTicket": 0x19, "UsageLimitExceeded": 0x1A, "NumericRange": 0x1B, "InvalidDataType": 0x1C,
        "ReadOnlyAttribute": 0x1D, "MultiValuedAttribute": 0x1E, "UnsupportedAttribute": 0x1F, "AttributeInstanceNotFound": 0x20,
        "AttributeNotFound": 0x21, "AttributeReadOnly": 0x22, "AttributeSingleValued": 0x23, "BadCryptographicParameters": 0x24, "BadPassword":
        0x25, "CodecError": 0x26, "IllegalObjectType": 0x28, "IncompatibleCryptographicUsageMask": 0x29, "InternalServerError": 0x2A,
        "InvalidAsynchronousCorrelationValue": 0x2B, "InvalidAttribute": 0x2C, "InvalidAttributeValue": 0x2D, "InvalidCorrelationValue": 0x2E,
        "InvalidCSR": 0x2F, "InvalidObjectType": 0x30, "KeyWrapTypeNotSupported": 0x32, "MissingInitializationVector": 0x34,
        "NonUniqueNameAttribute": 0x35, "ObjectDestroyed": 0x36, "ObjectNotFound": 0x37, "NotAuthorised": 0x39, "NotAuthorized": 0x39,
        "ServerLimitExceeded": 0x3A, "UnknownEnumeration": 0x3B, "UnknownMessageExtension": 0x3C, "UnknownTag": 0x3D,
        "UnsupportedCryptographicParameters": 0x3E, "UnsupportedProtocolVersion": 0x3F, "WrappingObjectArchived": 0x40, "WrappingObjectDestroyed":
        0x41, "WrappingObjectNotFound": 0x42, "WrongKeyLifecycleState": 0x43, "ProtectionStorageUnavailable": 0x44, "PKCS_11CodecError": 0x45,
        "PKCS_11InvalidFunction": 0x46, "PKCS_11InvalidInterface": 0x47, "PrivateProtectionStorageUnavailable": 0x48,
        "PublicProtectionStorageUnavailable": 0x49, "UnknownObjectGroup": 0x4A, "ConstraintViolation": 0x4B, "DuplicateProcessRequest": 0x4C,
        "GeneralFailure": 0x100},
    "ResultStatus": {"Success": 0x0, "OperationFailed": 0x1, "OperationPending": 0x2, "OperationUndone": 0x3},
    "RevocationReasonCode": {"Unspecified": 0x1, "KeyCompromise": 0x2, "CACompromise": 0x3, "AffiliationChanged": 0x4, "Superseded": 0x5,
        "CessationOfOperation": 0x6, "PrivilegeWithdrawn": 0x7},
    "RotateNameType": {"UninterpretedTextString": 0x1, "URI": 0x2},
    "SecretDataType": {"Password": 0x1, "Seed": 0x2},
    "ShreddingAlgorithm": {"Unspecified": 0x1, "Cryptographic": 0x2, "Unsupported": 0x3},
    "SplitKeyMethod": {"XOR": 0x1, "PolynomialSharingGF216": 0x2, "PolynomialSharingGF2_16": 0x2, "PolynomialSharingPrimeField": 0x3,
        "PolynomialSharingGF28": 0x4, "PolynomialSharingGF2_8": 0x4},
    "State": {"PreActive": 0x1, "Active": 0x2, "Deactivated": 0x3, "Compromised": 0x4, "Destroyed": 0x5, "DestroyedCompromised": 0x6},
    "TicketType": {"Login": 0x1},
    "UniqueIdentifier": {"IDPlaceholder": 0x1, "Certify": 0x2, "Create": 0x3, "CreateKeyPair": 0x4, "CreateKeyPairPrivateKey": 0x5,
        "CreateKeyPairPublicKey": 0x6, "CreateSplitKey": 0x7, "DeriveKey": 0x8, "Import": 0x9, "JoinSplitKey": 0xA, "Locate": 0xB, "Register": 0xC,
        "ReKey": 0xD, "ReCertify": 0xE, "ReKeyKeyPair": 0xF, "ReKeyKeyPairPrivateKey": 0x10, "ReKeyKeyPairPublicKey": 0x11},
    "UnwrapMode": {"Unspecified": 0x1, "Processed": 0x2, "NotProcessed": 0x3},
    "UsageLimitsUnit": {"Byte": 0x1, "Object": 0x2},
    "ValidationAuthorityType": {"Unspecified": 0x1, "NISTCMVP": 0x2, "CommonCriteria": 0x3},
    "ValidationType": {"Unspecified": 0x1, "Hardware": 0x2, "Software": 0x3, "Firmware": 0x4, "Hybrid": 0x5},
    "ValidityIndicator": {"Valid": 0x1, "Invalid": 0x2, "Unknown": 0x3},
    "WrappingMethod": {"Encrypt": 0x1, "MACSign": 0x2, "EncryptThenMACSign": 0x3, "MACSignThenEncrypt": 0x4, "TR_31": 0x5},
}

MASKS = {
    "CryptographicUsageMask": {"Sign": 0x1, "Verify": 0x2, "Encrypt": 0x4, "Decrypt": 0x8, "WrapKey": 0x10, "UnwrapKey": 0x20, "Export": 0x40,
        "MACGenerate": 0x80, "MACVerify": 0x100, "DeriveKey": 0x200, "ContentCommitment": 0x400, "ContentCommitmentNonRepudiation": 0x400,
        "KeyAgreement": 0x800, "CertificateSign": 0x1000, "CRLSign": 0x2000, "GenerateCryptogram": 0x4000, "ValidateCryptogram": 0x8000,
        "TranslateEncrypt": 0x10000, "TranslateDecrypt": 0x20000, "TranslateWrap": 0x40000, "TranslateUnwrap": 0x80000, "Authenticate": 0x100000,
        "Unrestricted": 0x200000, "FPEEncrypt": 0x400000, "FPEDecrypt": 0x800000},
    "ProtectionStorageMask": {"Software": 0x1, "Hardware": 0x2, "OnProcessor": 0x4, "OnSystem": 0x8, "OffSystem": 0x10, "Hypervisor": 0x20,
        "OperatingSystem": 0x40, "Container": 0x80, "OnPremises": 0x100, "OffPremises": 0x200, "SelfManaged": 0x400, "Outsourced": 0x800,
        "Validated": 0x1000, "SameJurisdiction": 0x2000},
    "StorageStatusMask": {"OnLineStorage": 0x1, "ArchivalStorage": 0x2, "DestroyedStorage": 0x4},
}
