/* The rig of these tests itself: what it sends is what is written, what it shows is what came. */
#include "kmip/ops/ops_rig.h"

static struct rig rig;

static void serving(void)
{
    if (!rig.house.server) {
        rig_open(&rig, "rig", "");
    }
}

TEST(a_whole_message_in_xml_is_answered_in_xml)
{
    serving();
    CHECK(strstr(rig_xml(&rig, "<RequestMessage><RequestHeader><ProtocolVersion>"
                               "<ProtocolVersionMajor type=\"Integer\" value=\"1\"/>"
                               "<ProtocolVersionMinor type=\"Integer\" value=\"2\"/>"
                               "</ProtocolVersion><BatchCount type=\"Integer\" value=\"1\"/>"
                               "</RequestHeader><BatchItem>"
                               "<Operation type=\"Enumeration\" value=\"DiscoverVersions\"/>"
                               "<RequestPayload/></BatchItem></RequestMessage>"),
                 "<ResultStatus type=\"Enumeration\" value=\"Success\"/>") != NULL);
}

TEST(a_batch_in_short_form_uses_the_identifier_placeholder_and_shows_identifiers_by_number)
{
    serving();
    RIG_EXPECT(&rig, KMIP_V(2, 1),
               "Create{ObjectType=SymmetricKey Attributes{CryptographicAlgorithm=AES "
               "CryptographicLength=256 CryptographicUsageMask=Encrypt}} Activate{}",
               "Create Success{ObjectType=SymmetricKey UniqueIdentifier='$1'}\n"
               "Activate Success{UniqueIdentifier='$1'}\n");
    RIG_EXPECT(&rig, KMIP_V(1, 0), "Activate{UniqueIdentifier='nothing'}",
               "Activate OperationFailed(ItemNotFound)\n");
    CHECK_INT(rig_create(&rig, "ActivationDate=NOW-60"), 2);
}

TEST(the_server_ends)
{
    serving();
    rig_close(&rig);
}
