// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test only: puts a graphics card that does not exist on the PCI bus of a virtual machine.
 *
 * The module registers a root bus of its own whose configuration space lives in memory. Every slot shows two functions
 * with NVIDIA's vendor id: a display controller and the audio function that real cards carry beside it. There is
 * nothing behind them: no memory regions, no interrupt. Drivers find the card by its ids and give up in their probe.
 */
#include <linux/module.h>
#include <linux/pci.h>

#define VENDOR 0x10de
#define SLOTS 8
#define FUNCTIONS 2
#define SPACE 256

static ushort device = 0x2684; /* GeForce RTX 4090 */
module_param(device, ushort, 0444);
MODULE_PARM_DESC(device, "PCI device id of the display controllers");
static ushort count = 1;
module_param(count, ushort, 0444);
MODULE_PARM_DESC(count, "number of cards, 1 to 8");
static int domain = VENDOR;
module_param(domain, int, 0444);
MODULE_PARM_DESC(domain, "PCI domain of the bus; one that no real bus has");

static u8 space[SLOTS][FUNCTIONS][SPACE];
static struct pci_bus *bus;
static struct pci_sysdata sysdata = { .node = NUMA_NO_NODE };

/* The bytes behind a configuration access, or NULL where no function answers. */
static u8 *bytes(unsigned int devfn, int where, int size)
{
	if (PCI_SLOT(devfn) >= count || PCI_FUNC(devfn) >= FUNCTIONS || where < 0 || where + size > SPACE)
		return NULL;
	return &space[PCI_SLOT(devfn)][PCI_FUNC(devfn)][where];
}

static int config_read(struct pci_bus *on, unsigned int devfn, int where, int size, u32 *value)
{
	u8 *from = bytes(devfn, where, size);

	PCI_SET_ERROR_RESPONSE(value);
	if (!from)
		return PCIBIOS_DEVICE_NOT_FOUND;
	for (*value = 0; size > 0; size--)
		*value = *value << 8 | from[size - 1];
	return PCIBIOS_SUCCESSFUL;
}

/* Only the registers that the kernel itself keeps state in can be written: sizing a BAR must find none. */
static int config_write(struct pci_bus *on, unsigned int devfn, int where, int size, u32 value)
{
	u8 *to = bytes(devfn, where, size);

	if (!to)
		return PCIBIOS_DEVICE_NOT_FOUND;
	if (where == PCI_COMMAND || where == PCI_CACHE_LINE_SIZE || where == PCI_LATENCY_TIMER || where == PCI_INTERRUPT_LINE)
		for (; size > 0; size--, value >>= 8)
			*to++ = value;
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops ops = { .read = config_read, .write = config_write };

static void word(u8 *config, int where, u16 value)
{
	config[where] = value;
	config[where + 1] = value >> 8;
}

static void fill(u8 *config, u16 id, u16 class)
{
	word(config, PCI_VENDOR_ID, VENDOR);
	word(config, PCI_DEVICE_ID, id);
	config[PCI_REVISION_ID] = 0xa1;
	word(config, PCI_CLASS_DEVICE, class);
	config[PCI_HEADER_TYPE] = 0x80; /* several functions */
	word(config, PCI_SUBSYSTEM_VENDOR_ID, 0x1458);
	word(config, PCI_SUBSYSTEM_ID, 0x40bf);
}

static int __init fakegpu_init(void)
{
	LIST_HEAD(windows);
	int slot;

	if (count < 1 || count > SLOTS)
		return -EINVAL;
	for (slot = 0; slot < count; slot++) {
		fill(space[slot][0], device, PCI_CLASS_DISPLAY_VGA);
		fill(space[slot][1], 0x22ba, PCI_CLASS_MULTIMEDIA_HD_AUDIO);
	}
	sysdata.domain = domain;
	pci_add_resource(&windows, &iomem_resource);
	pci_add_resource(&windows, &ioport_resource);
	bus = pci_scan_root_bus(NULL, 0, &ops, &sysdata, &windows);
	if (!bus) {
		pci_free_resource_list(&windows);
		return -ENODEV;
	}
	pci_bus_add_devices(bus);
	pr_info("fakegpu: %u SIMULATED card(s) 10de:%04x in PCI domain %04x\n", count, device, domain);
	return 0;
}

static void __exit fakegpu_exit(void)
{
	pci_lock_rescan_remove();
	pci_stop_root_bus(bus);
	pci_remove_root_bus(bus);
	pci_unlock_rescan_remove();
}

module_init(fakegpu_init);
module_exit(fakegpu_exit);
MODULE_DESCRIPTION("SIMULATED graphics card on the PCI bus, for tests");
MODULE_LICENSE("GPL");
