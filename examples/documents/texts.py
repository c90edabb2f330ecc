"""The words of the example documents. Every name, company, bank and number is invented."""

from __future__ import annotations

CONTRACT_HEADER = "Contract No. NHL-2024-0317"
# A page each; "# " marks the title, "## " a heading, a blank line ends a paragraph.
CONTRACT_PAGES = (
    """\
# SERVICES AGREEMENT

This Services Agreement (the "Agreement") takes effect on March 15, 2024 and is made between Northwind
Harbour Logistics LLC, a limited liability company with its principal office at 1420 Harbor View Drive,
Portland, Oregon (the "Client"), and Calder & Finch Engineering Ltd., a company registered in England
with its office at 8 Tidewater Row, Manchester, United Kingdom (the "Contractor").

## Recitals

A. The Client operates container terminals in Portland and in Antwerp and wishes to renew the control
systems of its quay cranes.

B. The Contractor designs, installs and maintains such systems and was chosen after a tender that closed
on 12 January 2024.

The parties therefore agree as follows.

## 1. Services

1.1 The Contractor shall design, install and test the control systems described in Schedule A and shall
maintain them during the term of this Agreement.

1.2 Maria Delgado is the Client's project manager, and Thomas Whitfield is the Contractor's chief engineer.
Either party may name another person by written notice.

## 2. Term

2.1 This Agreement ends on 30 September 2026 unless it is terminated earlier under clause 2.2 or
extended in writing.

2.2 Either party may terminate this Agreement with ninety days' notice, or at once if the other party
commits a material breach and does not cure it within thirty days.

## 3. Fees and payment

3.1 The Client shall pay a monthly fee of USD 18,500.00 for the services at Portland and a fixed price
of EUR 42,750.00 for the installation at Antwerp.
""",
    """\
3.2 A deposit of USD 55,500.00 is due on April 1, 2024. The Contractor shall credit it against the last
three monthly fees. Invoices are payable within thirty days. Late amounts bear interest at one per cent a
month.

## 4. Liability

4.1 Except for death, injury or fraud, the total liability of either party under this Agreement shall
not exceed $1,250,000.

## 5. Notices

5.1 Notices to the Client shall be sent to maria.delgado@northwind.example.com or by telephone to (503)
555-0142.

5.2 Notices to the Contractor shall be sent to notices@calderfinch.example.org or by telephone to +44
161 496 0321.

## 6. Governing law

6.1 This Agreement is governed by the laws of the State of Oregon. Disputes shall be decided by the
courts of Multnomah County. This Agreement contains the entire understanding of the parties and may be
changed only in writing, signed by both of them.

## 7. Confidentiality

7.1 Neither party shall disclose drawings, prices or other confidential papers of the other party, during
the term and for three years after it.

## Signatures

Signed for the parties by their authorised officers, Robert Ellison and Helen Marsh, on the dates below.
""",
)
SIGNATURES = (
    ("Northwind Harbour Logistics LLC", "Robert Ellison", "Chief Executive Officer", "March 11, 2024"),
    ("Calder & Finch Engineering Ltd.", "Helen Marsh", "Managing Director", "13 March 2024"),
)

INVOICE_SENDER = ("Calder & Finch Engineering Ltd.", "8 Tidewater Row, Manchester, United Kingdom")
INVOICE_BUYER = (
    "Northwind Harbour Logistics LLC",
    "Attn. James Porter",
    "1420 Harbor View Drive",
    "Portland, Oregon",
)
INVOICE_FIELDS = (
    ("Invoice number", "INV-2024-0862"),
    ("Invoice date", "14 June 2024"),
    ("Due date", "14 July 2024"),
    ("Contract No.", "NHL-2024-0317"),
)
INVOICE_COLUMNS = ("Description", "Quantity", "Unit price (€)", "Amount (€)")
INVOICE_LINES = (
    ("Site survey and wiring plan", "1", "2,400.00", "2,400.00"),
    ("Crane controller CF-310, with housing", "2", "6,150.00", "12,300.00"),
    ("Load cell, 40 t, calibrated", "4", "485.50", "1,942.00"),
    ("Travel, two engineers, Manchester to Antwerp", "1", "1,108.00", "1,108.00"),
)
INVOICE_TOTALS = (("Subtotal", "€17,750.00"), ("VAT 20%", "€3,550.00"), ("Total due", "€21,300.00"))
INVOICE_END = """\
Please transfer the total of EUR 21,300.00 to Calder & Finch Engineering Ltd. by 14 July 2024.
Bank: Harbour Mutual Bank
IBAN: GB41 HMBK 6000 0112 3456 78
Payment reference: INV-2024-0862
Questions about this invoice are answered by Emily Turner, accounts@calderfinch.example.org,
telephone +44 161 496 0330.
"""

LETTER_HEADER = "Meridian Instruments Inc.\n510 Observatory Road, Boston, Massachusetts"
LETTER_FOOTER = (
    "Telephone (617) 555-0178 | info@meridian.example.com | https://meridian.example.com/quotations"
)
LETTER_START = """\
April 22, 2024

Ms. Laura Bennett
Harwick Port Authority
27 Quay Street
Seattle, Washington

Quotation QT-2024-118

Dear Ms. Bennett,

Thank you for your visit on April 16, 2024. Meridian Instruments Inc. is pleased to offer the Harwick Port
Authority three tide gauges and the pressure sensors that belong to them. Daniel Brooks will lead the
installation in Seattle and train your staff.

The instruments can be delivered on the following dates.
"""
LETTER_FOOTNOTE = "Prices exclude sales tax and are valid until 31 May 2024."
LETTER_TABLE = (
    ("Instrument", "Quantity", "Delivery", "Price"),
    ("Tide gauge TG-20", "3", "8 July 2024", "$14,250.00"),
    ("Pressure sensor PS-4", "12", "22 July 2024", "$9,480.00"),
    ("Installation and training", "1", "August 5, 2024", "$6,900.00"),
)
LETTER_END = """\
The total price is $30,630.00. Half of it, $15,315.00, is due with the order and the rest thirty days after
the installation. To accept the offer, please sign a copy of this letter and send it to
orders@meridian.example.com before 31 May 2024.

Yours sincerely,

Catherine Reed
Sales Director
Meridian Instruments Inc.
"""

MAIL_TEXT = """\
Dear Helen,

Attached is the signed services agreement between Northwind Harbour Logistics LLC and Calder & Finch
Engineering Ltd. Robert Ellison signed it on March 11, 2024.

Before the work starts we need two things from you:

- the certificate of insurance, for at least $2,000,000, by 22 March 2024
- the names of the engineers who will visit the terminal in Antwerp

Our accounts team will transfer the deposit of USD 55,500.00 on April 1, 2024. If anything is unclear,
please call me at (503) 555-0142 or write to James Porter at james.porter@northwind.example.com.

Kind regards,
Maria Delgado
Northwind Harbour Logistics LLC
"""
CHECKLIST = """\
Checklist for contract no. NHL-2024-0317

[x] Agreement signed by both parties
[x] Purchase order sent to Calder & Finch Engineering Ltd.
[ ] Certificate of insurance received, due 22 March 2024
[ ] Deposit of USD 55,500.00 transferred by Susan Clarke
"""

NOTICE = """\
ARCHIVES TRIBUNAL OF SAINT-AURÈLE
Notice of hearing

Case number: AT-2024-01873
Date of this notice: 6 May 2024

In the matter of Brontë Heritage Trust against Müller & Söhne GmbH, concerning the
return of letters and drawings that were lent to an exhibition in Zürich.

1. On 17 February 2023 the trust lent the respondent forty-two items. They were insured
   for £185,000. The loan ended on 30 November 2023, and nine items were not returned.

2. The trust claims the return of the nine items, or damages of £64,250.00, and its costs,
   which it puts at £3,900. The respondent offers EUR 12,000.00 and says that the
   items were damaged by water in a café next to the gallery.

3. The tribunal will hear Margaret Doyle, who keeps the collection, and Jürgen Weber, who
   prepared the exhibition. Dr. André Lefèvre will report on the state of the paper.

4. The hearing takes place on 19 June 2024 at 10.30 in the tribunal's rooms, 3 Rue des
   Érables. Written statements must arrive by 2024-06-03, by e-mail to
   registry@tribunal.example.org. Questions are answered at +44 20 7946 0857.

5. A party that does not appear may be heard in writing. § 14 of the rules applies.

Signed for the registry,
François Martin, registrar
"""
